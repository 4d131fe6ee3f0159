using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Cluster;

/// <summary>Dead letters that are retried while their lanes move.</summary>
[Collection(NodesCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class ClusterLettersTests(Servers servers)
{
    const int keys = 40;

    [Fact]
    public async Task Changes_should_be_applied_in_order_and_once_though_lanes_move_meanwhile()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, $"create table t(id int primary key, n int); insert into t select i, 0 from generate_series(1, {keys}) i");
        using var stage = await ClusterStage.StartAsync(servers, pipeline, """
              - t: { insert: { commands: [["SET", "t:{id}", "{n}"]] }, update: { commands: [["RPUSH", "log:{id}", "{n}"]] } }
            """);
        for (int id = 1; id <= keys; id++) await pipeline.RedisAsync("SET", $"log:{id}", "in the way");
        int n = 0;
        async Task ChangeAsync(int times)
        {
            for (int i = 0; i < times; i++) await pipeline.SqlAsync($"update t set n = {++n}");
        }
        await ChangeAsync(10);
        var reader = await stage.ReaderAsync();
        var asked = stage.Members.First(m => m != reader);
        var leaving = stage.Members.Last(m => m != reader);
        await stage.UntilAsync(async () => (await asked.StatusAsync())?.DeadLetters == 10 * keys, "all changes should be parked");
        for (int id = 1; id <= keys; id++) await pipeline.RedisAsync("DEL", $"log:{id}");

        var left = leaving.LeaveAsync();
        var retry = asked.RunAsync("dlq", "retry", "--all");
        await ChangeAsync(20);
        await left;
        leaving.Start();
        var retried = await retry;
        retried.Code.ShouldBe(0, $"{retried.Out}{retried.Error}\n{stage.Log}");
        await ChangeAsync(5);
        // What was parked while its lane moved waits for another order.
        await stage.UntilAsync(async () => (await asked.RunAsync("dlq", "retry", "--all")).Code == 0 && (long)(await pipeline.RedisAsync("XLEN", $"actorsync:{{{pipeline.Slot}}}:dlq"))! == 0, "no letter should be left");
        string expected = string.Join(' ', Enumerable.Range(1, n));
        for (int id = 1; id <= keys; id++)
            await stage.UntilAsync(async () => await LogAsync(pipeline, id) is var log && (log == expected || (log.Length >= expected.Length ? throw new InvalidOperationException($"log:{id} is {log}") : false)), $"log:{id} should hold all");
    }

    static async Task<string> LogAsync(Pipeline pipeline, int id) => string.Join(' ', (object?[])(await pipeline.RedisAsync("LRANGE", $"log:{id}", "0", "-1"))!);
}

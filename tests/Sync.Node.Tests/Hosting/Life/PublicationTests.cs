using Sync.Contracts;
using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>A publication that is dropped and created again under the slot: what was committed in between can't be decoded.</summary>
[Collection(ServersCollection.Name)]
public sealed class PublicationTests(Servers servers)
{
    const string Schema = "create table acc(id int primary key, n int); insert into acc select i, 0 from generate_series(1, 100) i";

    const string Again = """
        drop publication pub; update acc set n = 5; delete from acc where id = 3; insert into acc values (200, 5);
        create publication pub for table acc with (publish_via_partition_root = true); update acc set n = 6 where id = 4
        """;

    static async Task ShouldBeRightAsync(Stage stage, TestNode node)
    {
        await stage.SqlAsync("update acc set n = 1000 + id where id < 50");
        await stage.CaughtUpAsync(node);
        (await stage.HashAsync("public.acc:7")).ShouldBe("id=7 n=1007");
        (await stage.DifferencesAsync("acc", "id, n")).ShouldBeEmpty();
    }

    static Task AgainAsync(Stage stage) => Task.WhenAll(Again.Split(';').Aggregate(Task.CompletedTask, (before, sql) => before.ContinueWith(_ => stage.SqlAsync(sql)).Unwrap()));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_publication_of_ours_should_be_mended_with_a_new_slot(bool isDown)
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - acc");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        if (isDown) await node.StopAsync();
        await AgainAsync(stage);
        if (isDown) node = await stage.StartAsync();
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("is made anew, and every table is read again")), "the slot should be made anew");
        await node.ReachesAsync(NodeState.Streaming);
        await ShouldBeRightAsync(stage, node);
        await node.StopAsync();

        var next = await stage.StartAsync();
        await ShouldBeRightAsync(stage, next);
        next.Log.ShouldNotContain(l => l.Contains("read again") || l.Contains("copied again"));
    }

    [Fact]
    public async Task What_an_earlier_version_has_stored_should_be_mended_as_well()
    {
        // From 18 on PostgreSQL goes on without a word, and nothing that was stored tells that it is another publication.
        if (await servers.Postgres.ScalarAsync<int>("select current_setting('server_version_num')::int") >= 180000) return;
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - acc");
        var first = await stage.StartAsync();
        await stage.CaughtUpAsync(first);
        await first.StopAsync();
        await stage.RedisAsync("HDEL", $"actorsync:{{{stage.Slot}}}:progress", "timeline", "log", "landmark", "publication");
        await AgainAsync(stage);
        var node = stage.Begin();
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("is made anew, and every table is read again")), "the slot should be made anew");
        await node.ReachesAsync(NodeState.Streaming);
        await ShouldBeRightAsync(stage, node);
    }

    [Fact]
    public async Task A_publication_of_the_user_should_be_asked_for_with_what_to_run()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - acc");
        stage.Edit = yaml => yaml.Replace($"slot: {stage.Slot}", $"slot: {stage.Slot}, owner: user", StringComparison.Ordinal);
        await stage.SqlAsync("create publication pub for table acc with (publish_via_partition_root = true)");
        await stage.SqlAsync($"select pg_create_logical_replication_slot('{stage.Slot}', 'pgoutput')");
        var first = await stage.StartAsync();
        await stage.CaughtUpAsync(first);
        await first.StopAsync();
        await AgainAsync(stage);
        var error = await stage.Begin().FailureAsync();
        error.Code.ShouldBe(ExitCode.Publication);
        error.Message.ShouldContain("was dropped and created again");
        foreach (string statement in new[] { $"SELECT pg_drop_replication_slot('{stage.Slot}')", $"SELECT pg_create_logical_replication_slot('{stage.Slot}', 'pgoutput')" })
        {
            error.Message.ShouldContain(statement);
            await stage.SqlAsync(statement);
        }
        var node = await stage.StartAsync();
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("every table is read again")), "it should be told");
        await ShouldBeRightAsync(stage, node);
    }
}

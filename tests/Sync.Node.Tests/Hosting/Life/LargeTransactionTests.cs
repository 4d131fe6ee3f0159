using System.Globalization;
using Npgsql;
using Sync.Node.Hosting;
using Sync.Testing;
using ActorSync = Sync.Node.Tests.Commands.Program;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>Transactions that are larger than what may be in memory.</summary>
[Collection(CopyCollection.Name)]
[Trait("Speed", "Slow")]
public class LargeTransactionTests(Servers servers)
{
    const string Schema = "create table t(id int primary key, bucket int, n int)";

    const string Tables = """
          - t:
              insert: { commands: [["INCRBY", "sum:{bucket}", "{n}"]] }
        """;

    static async Task InsertAsync(Stage stage, int rows)
    {
        await using var connection = await stage.Postgres.OpenAsync(stage.Database);
        await using var command = new NpgsqlCommand($"insert into t select i, i % 50, i % 1000 from generate_series(1, {rows}) i", connection) { CommandTimeout = 300 };
        await command.ExecuteNonQueryAsync();
    }

    static async Task ShouldBeExactAsync(Stage stage)
    {
        for (int bucket = 0; bucket < 50; bucket++)
            (await stage.NumberAsync($"sum:{bucket}")).ShouldBe(await stage.ScalarAsync<long>($"select coalesce(sum(n), 0) from t where bucket = {bucket}"), $"bucket {bucket}");
    }

    [Fact]
    public async Task A_million_rows_should_pass_in_flat_memory()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, Tables, "http: { enabled: false }");
        using var folder = new Sandbox();
        await File.WriteAllTextAsync(folder.File("config.yaml"), stage.Config(2, servers.Postgres.Port, servers.Redis.Port));
        using var program = ActorSync.Start(folder, null, "run");
        await program.SaysAsync("streaming slot");
        long before = Kilobytes(program, "VmRSS");
        await InsertAsync(stage, 1_000_000);
        long expected = await stage.ScalarAsync<long>("select sum(n) from t where bucket = 49");
        for (var deadline = DateTime.UtcNow.AddSeconds(120); await stage.NumberAsync("sum:49") < expected && DateTime.UtcNow < deadline;) await Task.Delay(50);
        (Kilobytes(program, "VmHWM") - before).ShouldBeLessThan(150_000, $"growth in KB, from {before}");
        program.Signal(System.Runtime.InteropServices.PosixSignal.SIGTERM);
        (await program.EndAsync()).Code.ShouldBe(0);
        await ShouldBeExactAsync(stage);
    }

    static long Kilobytes(ActorSync program, string field) => long.Parse(
        File.ReadLines($"/proc/{program.Id}/status").Single(l => l.StartsWith(field + ":", StringComparison.Ordinal)).Split(':')[1].Replace("kB", "", StringComparison.Ordinal),
        CultureInfo.InvariantCulture);

    [Fact]
    public async Task A_transaction_that_is_cut_off_again_and_again_should_be_applied_once()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, Tables);
        var node = await stage.StartAsync();
        await InsertAsync(stage, 200_000);
        for (int cut = 1; cut <= 4; cut++)
        {
            long goal = cut * 40_000;
            await node.UntilAsync(() => node.Status.Tables[0].Rows > goal, $"{goal} rows should be applied");
            await stage.SqlAsync($"select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '{stage.Slot}'");
        }
        await stage.CaughtUpAsync(node);
        await ShouldBeExactAsync(stage);
        node.Status.Tables[0].Rows.ShouldBe(200_000, "rows sent again are dropped");
        node.Status.State.ShouldBe(NodeState.Streaming);
    }
}

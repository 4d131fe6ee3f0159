using System.Text.RegularExpressions;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>A PostgreSQL that goes back behind what Redis has seen of it: an older copy put back, recovery to a point in time, a slot made anew.</summary>
public sealed class HistoryTests : IAsyncLifetime
{
    const string Schema = "create table acc(id int primary key, n int); insert into acc select i, 0 from generate_series(1, 100) i; create table other(id int, v text)";

    /// <summary>What is committed behind the copy, and gone when it is put back.</summary>
    const string Abandoned = "update acc set n = n + 1; insert into acc select i, 1 from generate_series(101, 150) i; delete from acc where id = 3";

    PostgresServer postgres = null!;
    RedisServer redis = null!;

    public async Task InitializeAsync()
    {
        postgres = await PostgresServer.StartAsync("max_replication_slots=10", "max_wal_senders=10", "autovacuum=off");
        redis = await RedisServer.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await postgres.DisposeAsync();
        redis.Dispose();
    }

    Task<Stage> OpenAsync(string schema = Schema, string tables = "  - acc", string extra = "") => Stage.OpenAsync(postgres, redis, schema, tables, extra);

    /// <summary>A node that has followed a history behind the copy that it returns, and is stopped.</summary>
    async Task<string> FollowAsync(Stage stage, string abandoned = Abandoned)
    {
        var first = await stage.StartAsync();
        await stage.CaughtUpAsync(first);
        await first.StopAsync();
        string copy = await postgres.CopyAsync();
        var second = await stage.StartAsync();
        await stage.SqlAsync(abandoned);
        await stage.CaughtUpAsync(second);
        await second.StopAsync();
        return copy;
    }

    /// <summary>Lets the log grow until it is longer than it was.</summary>
    static async Task GrowAsync(Stage stage, Lsn beyond, string sql)
    {
        while (Lsn.Parse((await stage.ScalarAsync<string>("select pg_current_wal_lsn()::text"))!).Value < beyond.Value + 100_000) await stage.SqlAsync(sql);
    }

    async Task<Lsn> EndAsync() => Lsn.Parse((await postgres.ScalarAsync<string>("select pg_current_wal_lsn()::text"))!);

    static async Task ShouldBeRightAsync(Stage stage, TestNode node)
    {
        await stage.SqlAsync("update acc set n = 1000 + id");
        await stage.CaughtUpAsync(node);
        (await stage.HashAsync("public.acc:7")).ShouldBe("id=7 n=1007");
        (await stage.DifferencesAsync("acc", "id, n")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("as it was", "went back: its log ends at")]
    [InlineData("written beyond", "went back: the transaction that committed at")]
    [InlineData("grown by other tables", "went back: the transaction that committed at")]
    [InlineData("without its slot", "went back: its log ends at")]
    [InlineData("written beyond, without its slot", "every table is copied again")]
    public async Task An_older_copy_put_back_should_be_told_and_read_again(string how, string told)
    {
        await using var stage = await OpenAsync();
        string copy = await FollowAsync(stage);
        var end = await EndAsync();
        await postgres.PutBackAsync(copy);
        if (how.Contains("slot")) await stage.SqlAsync($"select pg_drop_replication_slot('{stage.Slot}')");
        if (how.Contains("beyond")) await GrowAsync(stage, end, "update acc set n = n + 1000");
        if (how.Contains("other")) await GrowAsync(stage, end, "insert into other select i, repeat('x', 200) from generate_series(1, 1000) i");

        var node = await stage.StartAsync();
        if (!how.Contains("other")) await ShouldBeRightAsync(stage, node);
        await node.UntilAsync(() => node.Log.Any(l => l.Contains(told)), "the change should be told");
        await ShouldBeRightAsync(stage, node);
        if (!told.Contains("copied")) node.Status.History.ShouldNotBeNull().ShouldSatisfyAllConditions(h => h.Change.ShouldContain("went back"), h => h.ChangedAt.ShouldNotBeNull());
        await node.StopAsync();

        // It is over: the next start goes on.
        var next = await stage.StartAsync();
        await stage.SqlAsync("update acc set n = 5 where id = 7");
        await stage.CaughtUpAsync(next);
        (await stage.HashAsync("public.acc:7")).ShouldBe("id=7 n=5");
        next.Status.History.ShouldNotBeNull().Change.ShouldBe("");
        next.Log.ShouldNotContain(l => l.Contains("read again") || l.Contains("copied again"));
    }

    [Fact]
    public async Task A_server_exchanged_under_a_running_node_should_be_read_again()
    {
        await using var stage = await OpenAsync();
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        string copy = await postgres.CopyAsync();
        await stage.SqlAsync(Abandoned);
        await stage.CaughtUpAsync(node);
        await postgres.PutBackAsync(copy);
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("went back: its log ends at")), "the change should be told");
        await ShouldBeRightAsync(stage, node);
    }

    [Fact]
    public async Task A_node_should_end_and_touch_nothing_when_the_policy_says_so()
    {
        await using var stage = await OpenAsync(extra: "");
        string copy = await FollowAsync(stage);
        await postgres.PutBackAsync(copy);
        stage.Edit = yaml => yaml.Replace("postgres:\n", "postgres:\n  onHistoryChange: stop\n");
        var stopped = stage.Begin();
        var failure = await stopped.FailureAsync();
        failure.Code.ShouldBe(ExitCode.ForeignProgress);
        failure.Message.ShouldContain("went back");
        failure.Message.ShouldContain("postgres.onHistoryChange: resync");
        (await stage.HashAsync("public.acc:7")).ShouldBe("id=7 n=1");

        stage.Edit = yaml => yaml;
        await ShouldBeRightAsync(stage, await stage.StartAsync());
    }

    [Fact]
    public async Task Sums_should_be_counted_anew_and_events_told_once()
    {
        await using var stage = await OpenAsync(Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        await bookings.BookAsync(200);
        string copy = await FollowAsync(stage, "insert into booking(account, amount) select i % 12, 1 from generate_series(1, 500) i");
        await postgres.PutBackAsync(copy);
        await bookings.BookAsync(40);
        var node = await stage.StartAsync();
        await bookings.BookAsync(100);
        await stage.CaughtUpAsync(node);
        long told = 0;
        for (int account = 0; account < 12; account++)
        {
            (await stage.NumberAsync($"sum:{account}")).ShouldBe(await stage.ScalarAsync<long>($"select coalesce(sum(amount), 0) from booking where account = {account}"), $"sum of account {account}");
            (await stage.CountAsync("XLEN", $"log:{account}")).ShouldBe(await stage.CountAsync("LLEN", $"list:{account}"));
            told += await stage.CountAsync("LLEN", $"list:{account}");
        }
        // Each was told once: those before the copy, those that were abandoned, and those since, though the copy was later than some of these.
        told.ShouldBe(200 + 500 + 40 + 100);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_an_earlier_version_has_stored_should_be_taken_over(bool wentBack)
    {
        await using var stage = await OpenAsync();
        string copy = await FollowAsync(stage);
        (await stage.CountAsync("HDEL", $"actorsync:{{{stage.Slot}}}:progress", "timeline", "log", "landmark", "publication")).ShouldBe(4);
        if (wentBack) await postgres.PutBackAsync(copy);
        var node = await stage.StartAsync();
        await ShouldBeRightAsync(stage, node);
        node.Log.Any(l => l.Contains("went back")).ShouldBe(wentBack);
        (await stage.RedisAsync("HGET", $"actorsync:{{{stage.Slot}}}:progress", "timeline")).ShouldBe("1");
    }

    [Fact]
    public async Task Dead_letters_of_the_abandoned_history_should_be_put_aside()
    {
        await using var stage = await OpenAsync();
        await stage.RedisAsync("SET", "public.acc:120", "no hash");
        string copy = await FollowAsync(stage);
        (await stage.CountAsync("XLEN", $"actorsync:{{{stage.Slot}}}:dlq")).ShouldBe(1);
        await stage.RedisAsync("DEL", "public.acc:120");
        await postgres.PutBackAsync(copy);
        var node = await stage.StartAsync();
        await stage.SqlAsync("insert into acc values (120, 5)");
        await ShouldBeRightAsync(stage, node);
        node.Status.DeadLetters.ShouldBe(0);
        string aside = (await stage.ItemsAsync("KEYS", "actorsync:*:dlq:before:*")).ShouldHaveSingleItem();
        (await stage.CountAsync("XLEN", aside)).ShouldBe(1);
        node.Log.ShouldContain(l => l.Contains($"1 dead letters of before are kept under '{aside}'"));
    }

    [Fact]
    public async Task Recovery_to_a_point_in_time_should_be_told_and_read_again()
    {
        string archive = Path.Combine(postgres.SocketFolder, "archive");
        await postgres.ExecuteAsync($"alter system set archive_command = 'mkdir -p {archive} && cp %p {archive}/%f'");
        await postgres.ExecuteAsync("alter system set archive_mode = on");
        await using var stage = await OpenAsync();
        var first = await stage.StartAsync();
        await stage.CaughtUpAsync(first);
        await first.StopAsync();
        string copy = await postgres.CopyAsync();
        var node = await stage.StartAsync();
        await stage.SqlAsync("update acc set n = 1 where id <= 50; insert into acc values (500, 1)");
        await stage.SqlAsync("select pg_create_restore_point('here')");
        await stage.SqlAsync(Abandoned);
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync("select pg_switch_wal()");
        await postgres.PutBackAsync(copy, $"restore_command = 'cp {archive}/%f %p'", "recovery_target_name = 'here'");
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("forked: its timeline 2 left the log at")), "the fork should be told");
        await node.ReachesAsync(NodeState.Streaming);
        await stage.CaughtUpAsync(node);
        (await stage.HashAsync("public.acc:500")).ShouldBe("id=500 n=1");
        (await stage.DifferencesAsync("acc", "id, n")).ShouldBeEmpty();
        await ShouldBeRightAsync(stage, node);
        node.Status.History.ShouldNotBeNull().Timeline.ShouldBe(2u);

        // The same number of a timeline, but another one: recovered from the same copy to its end, with what was archived of the first recovery gone.
        foreach (string file in Directory.GetFiles(archive, "00000002*")) File.Delete(file);
        await postgres.PutBackAsync(copy, $"restore_command = 'cp {archive}/%f %p'");
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("does not come from the one that Redis follows")), "the other fork should be told");
        await ShouldBeRightAsync(stage, node);
    }

    [Fact]
    public async Task Positions_in_the_hash_slots_of_a_Redis_Cluster_should_be_discarded_as_well()
    {
        using var cluster = await ClusterServers.StartAsync();
        await using var stage = await OpenAsync(Schema + "; alter table acc replica identity full", """
              - acc: { commands: [["SET", "acc:{id}", "{n}"], ["INCRBY", "sum", "{diff:n}"]] }
            """);
        stage.Edit = yaml => Regex.Replace(yaml, @"^redis:\n.*$", $"redis:\n  nodes: '{cluster.Nodes}'", RegexOptions.Multiline);
        string copy = await FollowAsync(stage);
        (await cluster.ExecAsync("GET", "acc:120")).ShouldBe("1");
        await postgres.PutBackAsync(copy);
        var node = await stage.StartAsync();
        await stage.SqlAsync("update acc set n = 1000 + id");
        await stage.CaughtUpAsync(node);
        node.Log.ShouldContain(l => l.Contains("went back: its log ends at"));
        (await cluster.KeysAsync("acc:*")).Length.ShouldBe(100);
        for (int id = 1; id <= 100; id++) (await cluster.ExecAsync("GET", $"acc:{id}")).ShouldBe($"{1000 + id}");
        (await cluster.ExecAsync("GET", "sum")).ShouldBe($"{await stage.ScalarAsync<long>("select sum(n) from acc")}");
        (await cluster.ExecAsync("HEXISTS", $"actorsync:{{{stage.Slot}}}:progress", "clearing")).ShouldBe(0L);
    }

    [Fact]
    public async Task Another_cluster_should_end_the_node_unless_the_policy_allows_it()
    {
        await using var other = await PostgresServer.StartAsync(new PostgresServerOptions { OwnIdentity = true, Settings = ["max_replication_slots = 10"] });
        await using var stage = await OpenAsync();
        await FollowAsync(stage);
        await other.ExecuteAsync($"create database {stage.Database}");
        await other.ExecuteAsync(Schema, stage.Database);
        stage.Postgres = other;
        var failure = await stage.Begin().FailureAsync();
        failure.Code.ShouldBe(ExitCode.ForeignProgress);
        failure.Message.ShouldContain("postgres.onHistoryChange: resync-any");
        (await stage.HashAsync("public.acc:7")).ShouldBe("id=7 n=1");

        stage.Edit = yaml => yaml.Replace("postgres:\n", "postgres:\n  onHistoryChange: resync-any\n");
        await ShouldBeRightAsync(stage, await stage.StartAsync());
    }
}

using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Node.Tests.Hosting;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;
using Sync.Redis.Errors;

namespace Sync.Node.Tests.Cluster;

/// <summary>The reader of a cluster from PostgreSQL to Redis, with lanes and writers but without actors.</summary>
[Collection(NodesCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class LaneSourceTests(Servers servers)
{
    const string schema = """
        create table a(id int primary key, kind text, n int); alter table a replica identity full;
        create table b(id int primary key, a int, v text);
        create table c(id int primary key deferrable, n int); alter table c replica identity full;
        insert into a select i, 'k' || i % 5, i from generate_series(1, 300) i; insert into b select i, i % 7, 'v' || i from generate_series(1, 100) i;
        """;

    const string tables = """
          - a:
              commands: [["HSET", "a:{id}", "{pairs:*}"], ["SADD", "kind:{kind}", "{id}"], ["INCRBY", "sum:{kind}", "{diff:n}"], ["RPUSH", "log:{id}", "{n}"]]
              key: "{kind}"
              truncate: resync
          - b:
              commands: [["SET", "b:{id}", "{v}"], ["HINCRBY", "bs", "{a}", "1"]]
          - c:
              commands: [["HSET", "c:{id}", "{pairs:n}"], ["INCRBY", "c:total", "{diff:n}"]]
              truncate: { commands: [["SET", "c:truncated", "{%table%}"]] }
        """;

    static readonly string[] statements =
    [
        "insert into a select i, 'k' || i % 11, i from generate_series(301, 900) i",
        "update a set n = n + 1 where id % 3 = 0",
        "update a set kind = 'moved' where id % 10 = 0",
        "update a set id = id + 10000 where id % 50 = 1",
        "delete from a where id % 4 = 2",
        "update b set v = v || '!' where id % 2 = 0; insert into b select i, i % 3, 'late' from generate_series(101, 200) i",
        "insert into c select i, i from generate_series(1, 100) i",
        "begin; set constraints all deferred; update c set id = 101 - id; commit",
        "delete from c where id > 90",
        "begin; insert into c values (500, 1); truncate c; insert into c values (501, 2); commit",
        "begin; insert into a values (20000, 'k1', 1); truncate a; insert into a values (20001, 'k9', 5), (20002, 'new', 1); commit; insert into a values (20003, 'k0', 6)",
        "update a set n = n * 2; update a set kind = 'last' where id = 20002",
    ];

    SyncConfig Config(Pipeline pipeline) => LaneNode.Configure(servers, pipeline, tables);

    /// <summary>What a single host makes of the same statements.</summary>
    async Task<string[]> ExpectedAsync()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, schema, tables);
        foreach (string sql in statements)
        {
            await pipeline.SqlAsync(sql);
            await pipeline.CaughtUpAsync();
        }
        string[] content = await pipeline.ContentAsync();
        await pipeline.StopNodeAsync();
        return content;
    }

    [Fact]
    public async Task A_reader_should_end_its_node_when_another_cluster_has_the_slot()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, schema);
        await using var node = new LaneNode(Config(pipeline));
        await using var running = await LaneReader.StartAsync(node);
        await running.UntilAsync(() => node.Board.Status.State == NodeState.Streaming, "it should stream");

        // In one cluster there is one reader, so this one is of another: begun by a node that was cut off.
        await using var other = new LaneNode(Config(pipeline), TimeSpan.FromMilliseconds(300));
        await using var waiting = await LaneReader.StartAsync(other);
        var ended = await Should.ThrowAsync<SyncException>(() => waiting.Run.WaitAsync(TimeSpan.FromSeconds(30)));
        ended.Code.ShouldBe(ExitCode.ClusterDowned);
        ended.Message.ShouldContain($"Another cluster reads slot {pipeline.Slot}");
        await pipeline.SqlAsync("insert into b values (101, 1, 'on')");
        await running.CaughtUpAsync(pipeline);
        await running.StopAsync();
    }

    [Fact]
    public async Task A_node_that_leaves_should_see_that_the_next_reader_has_taken_its_number()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, schema);
        await using LaneNode leaving = new(Config(pipeline)), next = new(Config(pipeline));
        (await leaving.Sources.IsSucceededAsync(TimeSpan.FromMinutes(5)).WaitAsync(TimeSpan.FromSeconds(30))).ShouldBeFalse("it had none");
        long own = await leaving.Sources.NextEpochAsync(default);
        (await leaving.Sources.IsSucceededAsync(TimeSpan.FromMilliseconds(300))).ShouldBeFalse();
        var succeeded = leaving.Sources.IsSucceededAsync(TimeSpan.FromSeconds(30));
        (await next.Sources.NextEpochAsync(default)).ShouldBeGreaterThan(own);
        (await succeeded).ShouldBeTrue();
    }

    [Fact]
    public async Task Content_should_be_what_a_single_host_makes_of_it()
    {
        string[] expected = await ExpectedAsync();
        await using var pipeline = await Pipeline.PrepareAsync(servers, schema);
        await using var node = new LaneNode(Config(pipeline));
        await using var running = await LaneReader.StartAsync(node);
        await running.UntilAsync(() => node.Board.Status.State == NodeState.Streaming, "it should stream");
        foreach (string sql in statements)
        {
            await pipeline.SqlAsync(sql);
            await running.CaughtUpAsync(pipeline);
        }
        (await pipeline.ContentAsync()).ShouldBe(expected);
        running.Lanes.Lost.ShouldBe(0);
        await running.StopAsync();
        var progress = await pipeline.HashAsync($"actorsync:{{{pipeline.Slot}}}:progress");
        progress.ShouldContain("lanes=32");
        progress.ShouldContain("lane:");
        progress.ShouldNotContain("w:");
    }

    [Fact]
    public async Task Readers_and_nodes_that_replace_each_other_under_load_should_apply_each_change_once()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table c(id int primary key, n int); alter table c replica identity full;");
        var config = Config(pipeline) with { Tables = [.. Config(pipeline).Tables.Where(t => t.Name == "c")] };
        using var loading = new CancellationTokenSource();
        long sum = 0;
        var nodes = new List<LaneNode>();
        var runs = new List<LaneReader>();
        try
        {
            for (int round = 0; round < 4; round++)
            {
                object? before = await pipeline.ScalarAsync($"select string_agg(pid::text, ',') from pg_stat_activity where datname = '{pipeline.Database}' and pid <> pg_backend_pid()");
                nodes.Add(new LaneNode(config));
                runs.Add(await LaneReader.StartAsync(nodes[^1]));
                // The one before goes on with its lanes, but its session to the slot ends, as if it were cut off.
                if (round > 0) await pipeline.SqlAsync($"select pg_terminate_backend(pid) from unnest(array[{before}]) pid");
                var current = runs[^1];
                await current.UntilAsync(() => current.Node.Board.Status.State == NodeState.Streaming, "it should stream");
                for (int i = 0; i < 40; i++)
                {
                    int first = 10_000 * round + 100 * i;
                    await pipeline.SqlAsync($"insert into c select i, 1 from generate_series({first}, {first} + 49) i; update c set n = 3 where id between {first} and {first} + 20");
                    sum += 50 + 2 * 21;
                    if (i == 20) await pipeline.RedisAsync("CLIENT", "KILL", "TYPE", "normal");
                }
            }
            await runs[^1].CaughtUpAsync(pipeline);
            (await pipeline.GetAsync("c:total")).ShouldBe(sum.ToString(System.Globalization.CultureInfo.InvariantCulture));
            (await pipeline.KeysAsync()).Length.ShouldBe(4 * 40 * 50 + 1);
            runs[0].Run.IsFaulted.ShouldBeTrue("it was replaced");
        }
        finally
        {
            foreach (var run in runs) await run.DisposeAsync();
            foreach (var node in nodes) await node.DisposeAsync();
        }
    }

    [Fact]
    public async Task Redis_that_forgot_everything_should_be_filled_again_by_the_next_reader()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, schema);
        await using var node = new LaneNode(Config(pipeline));
        await using (var running = await LaneReader.StartAsync(node))
        {
            await running.UntilAsync(() => node.Board.Status.State == NodeState.Streaming, "it should stream");
            await pipeline.SqlAsync(statements[0]);
            await running.CaughtUpAsync(pipeline);
            await pipeline.RedisAsync("FLUSHALL");
            await Should.ThrowAsync<RedisFencedException>(() => running.Run.WaitAsync(TimeSpan.FromSeconds(20)));
        }
        await using var next = await LaneReader.StartAsync(node);
        await next.UntilAsync(() => node.Board.Status.State == NodeState.Streaming, "it should stream again");
        await pipeline.SqlAsync(statements[1]);
        await next.CaughtUpAsync(pipeline);
        (await pipeline.KeysAsync()).Count(key => key.StartsWith("a:", StringComparison.Ordinal)).ShouldBe(900);
        (await pipeline.GetAsync("b:7")).ShouldBe("v7");
    }

    [Fact]
    public async Task Number_of_lanes_should_be_fixed_at_the_first_start()
    {
        string database = await servers.Postgres.CreateDatabaseAsync();
        var options = new PostgresConnectionOptions { Hosts = [new HostPort("127.0.0.1", servers.Postgres.Port)], Database = database, User = "postgres" };
        await using var primary = await new PostgresConnector(options).FindPrimaryAsync(default);
        var settings = new SlotSettings(primary);
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => settings.FixLanesAsync("s", 64, default)));
        var error = await Should.ThrowAsync<SyncException>(() => settings.FixLanesAsync("s", 128, default));
        error.Code.ShouldBe(ExitCode.Configuration);
        error.Message.ShouldBe("cluster.lanes is 128, but slot 's' has had 64 lanes since its first start, and keys keep their order only with the same number; set it to 64.");
        await settings.FixLanesAsync("other", 128, default);
    }
}

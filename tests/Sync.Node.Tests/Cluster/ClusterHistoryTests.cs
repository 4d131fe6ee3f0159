using System.Globalization;
using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Cluster;

/// <summary>A PostgreSQL that goes back while the nodes of a cluster live, whose lanes have positions of before in memory.</summary>
public sealed class ClusterHistoryTests : IAsyncLifetime
{
    readonly Servers servers = new();
    string database = "";

    public Task InitializeAsync() => servers.InitializeAsync();

    public Task DisposeAsync() => servers.DisposeAsync();

    Task SqlAsync(string sql) => servers.Postgres.ExecuteAsync(sql, database);

    async Task<Pipeline> PrepareAsync()
    {
        var pipeline = await Pipeline.PrepareAsync(servers, "create table acc(id int primary key, n int)");
        database = pipeline.Database;
        return pipeline;
    }

    [Fact]
    public async Task An_older_copy_put_back_should_be_told_and_read_again_by_nodes_that_live()
    {
        await using var pipeline = await PrepareAsync();
        await SqlAsync("insert into acc select i, 0 from generate_series(1, 200) i");
        using var stage = await ClusterStage.StartAsync(servers, pipeline, "  - acc");
        string copy = await servers.Postgres.CopyAsync();
        for (int i = 0; i < 20; i++) await SqlAsync("update acc set n = n + 1");
        await SqlAsync("insert into acc select i, 1 from generate_series(201, 260) i; delete from acc where id = 3");
        await stage.UntilAsync(HoldsAsync, "all should be applied");

        await servers.Postgres.PutBackAsync(copy);
        await SqlAsync("update acc set n = 1000 + id");
        await stage.UntilAsync(HoldsAsync, "Redis should be what PostgreSQL is");
        stage.Log.ShouldContain("went back: its log ends at");
        await SqlAsync("update acc set n = 2000 + id where id % 2 = 0");
        await stage.UntilAsync(HoldsAsync, "changes should go on");
        (await servers.Redis.ExecAsync("HGET", "public.acc:7", "n")).ShouldBe("1007");
    }

    [Fact]
    public async Task Lanes_should_forget_their_positions_though_no_table_is_read_again()
    {
        await using var pipeline = await PrepareAsync();
        using var stage = await ClusterStage.StartAsync(servers, pipeline, "  - acc\nsnapshot: { mode: never }");
        await SqlAsync("insert into acc select i, 0 from generate_series(1, 200) i");
        await stage.UntilAsync(HoldsAsync, "all should be applied");
        string copy = await servers.Postgres.CopyAsync();
        for (int i = 0; i < 20; i++) await SqlAsync("update acc set n = n + 1");
        await stage.UntilAsync(HoldsAsync, "all should be applied again");

        await servers.Postgres.PutBackAsync(copy);
        await SqlAsync("update acc set n = 1000 + id");
        await stage.UntilAsync(HoldsAsync, "the changes should not be left out");
        stage.Log.ShouldContain("run actorsync resync --all");
    }

    /// <summary>Whether the keys are the rows.</summary>
    async Task<bool> HoldsAsync()
    {
        string rows = await servers.Postgres.ScalarAsync<string>("select string_agg(id || '=' || n, ' ' order by id) from acc", database) ?? "";
        using var redis = await servers.Redis.ClientAsync();
        var found = new SortedDictionary<int, string>();
        foreach (object? key in (object?[])(await redis.CommandAsync("KEYS", "public.acc:*"))!)
            found[int.Parse(((string)key!)["public.acc:".Length..], CultureInfo.InvariantCulture)] = (string?)await redis.CommandAsync("HGET", (string)key!, "n") ?? "";
        return string.Join(' ', found.Select(f => $"{f.Key}={f.Value}")) == rows;
    }
}

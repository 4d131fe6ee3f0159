using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Cluster;

/// <summary>A PostgreSQL that goes back while the nodes of a cluster live, whose lanes have positions of before in memory.</summary>
public sealed class ClusterHistoryTests : IAsyncLifetime
{
    readonly Servers servers = new();

    public Task InitializeAsync() => servers.InitializeAsync();

    public Task DisposeAsync() => servers.DisposeAsync();

    [Fact]
    public async Task An_older_copy_put_back_should_be_told_and_read_again_by_nodes_that_live()
    {
        string database;
        await using (var pipeline = await Pipeline.PrepareAsync(servers, "create table acc(id int primary key, n int); insert into acc select i, 0 from generate_series(1, 200) i"))
        {
            database = pipeline.Database;
            using var stage = await ClusterStage.StartAsync(servers, pipeline, "  - acc");
            string copy = await servers.Postgres.CopyAsync();
            for (int i = 0; i < 20; i++) await servers.Postgres.ExecuteAsync("update acc set n = n + 1", database);
            await servers.Postgres.ExecuteAsync("insert into acc select i, 1 from generate_series(201, 260) i; delete from acc where id = 3", database);
            await stage.UntilAsync(async () => await HoldsAsync(database), "all should be applied");

            await servers.Postgres.PutBackAsync(copy);
            await servers.Postgres.ExecuteAsync("update acc set n = 1000 + id", database);
            await stage.UntilAsync(async () => await HoldsAsync(database), "Redis should be what PostgreSQL is");
            stage.Log.ShouldContain("went back: its log ends at");
            await servers.Postgres.ExecuteAsync("update acc set n = 2000 + id where id % 2 = 0", database);
            await stage.UntilAsync(async () => await HoldsAsync(database), "changes should go on");
            (await servers.Redis.ExecAsync("HGET", "public.acc:7", "n")).ShouldBe("1007");
        }
    }

    /// <summary>Whether the keys are the rows.</summary>
    async Task<bool> HoldsAsync(string database)
    {
        string rows = (await servers.Postgres.ScalarAsync<string>("select string_agg(id || '=' || n, ' ' order by id) from acc", database))!;
        using var redis = await servers.Redis.ClientAsync();
        var found = new SortedDictionary<int, string>();
        foreach (object? key in (object?[])(await redis.CommandAsync("KEYS", "public.acc:*"))!)
            found[int.Parse(((string)key!)["public.acc:".Length..])] = (string?)await redis.CommandAsync("HGET", (string)key!, "n") ?? "";
        return string.Join(' ', found.Select(f => $"{f.Key}={f.Value}")) == rows;
    }
}

using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting;

/// <summary>A node in this process between a database of its own and Redis, with what tests ask of both ends.</summary>
sealed class Pipeline : IAsyncDisposable
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);

    readonly Servers servers;
    readonly NpgsqlConnection sql;
    readonly TestRedis redis;
    readonly LogLines log = new();
    CancellationTokenSource stop = new();
    Task run = Task.CompletedTask;

    Pipeline(Servers servers, string database, NpgsqlConnection sql, TestRedis redis) =>
        (this.servers, Database, this.sql, this.redis) = (servers, database, sql, redis);

    public string Database { get; }

    public string Slot => Database;

    public SingleHost Host { get; private set; } = null!;

    public IReadOnlyList<string> Log => log.Lines;

    /// <summary>flushWorkers of the next node.</summary>
    public int Workers { get; set; } = 4;

    public string Config { get; private set; } = "";

    /// <summary>Opens both ends and runs the schema; no node yet.</summary>
    public static async Task<Pipeline> PrepareAsync(Servers servers, string schema, string encoding = "UTF8")
    {
        var redis = await servers.Redis.ClientAsync();
        await redis.CommandAsync("FLUSHALL");
        string database = await servers.Postgres.CreateDatabaseAsync(encoding);
        var sql = await servers.Postgres.OpenAsync(database);
        var pipeline = new Pipeline(servers, database, sql, redis);
        await pipeline.SqlAsync(schema);
        return pipeline;
    }

    /// <summary>Prepares, starts a node with these tables and waits until it streams.</summary>
    public static async Task<Pipeline> StartAsync(Servers servers, string schema, string tables, string extra = "")
    {
        var pipeline = await PrepareAsync(servers, schema);
        await pipeline.StartNodeAsync(tables, extra);
        return pipeline;
    }

    /// <summary>Starts a node; <paramref name="edit"/> may change the configuration file before it is read.</summary>
    public async Task StartNodeAsync(string tables, string extra = "", bool waitUntilStreaming = true, Func<string, string>? edit = null)
    {
        Config = $$"""
            postgres:
              conn: { host: 127.0.0.1, port: {{servers.Postgres.Port}}, database: {{Database}}, user: postgres }
              repl: { pub: pub, slot: {{Slot}}, owner: app }
            redis:
              conn: { host: 127.0.0.1, port: {{servers.Redis.Port}} }
            flushWorkers: {{Workers}}
            retryPolicy: { initialBackoff: 20ms, maxBackoff: 200ms }
            {{extra.ReplaceLineEndings("\n")}}
            tables:
            {{tables.ReplaceLineEndings("\n")}}
            """;
        if (edit is not null) Config = edit(Config);
        await StartNodeAsync(Load(Config), waitUntilStreaming);
    }

    /// <summary>Starts a node with a configuration of the test's own.</summary>
    public async Task StartNodeAsync(SyncConfig config, bool waitUntilStreaming = true)
    {
        stop = new CancellationTokenSource();
        Host = new SingleHost(config, new HostOptions(), log);
        run = Task.Run(() => Host.RunAsync(stop.Token));
        if (waitUntilStreaming) await StreamingAsync();
    }

    public static SyncConfig Load(string yaml) => ConfigLoader.Load("config.yaml", new Dictionary<string, string>(), "/", path => path.EndsWith("config.yaml", StringComparison.Ordinal) ? yaml : null);

    public Task StreamingAsync() => UntilAsync(() => Task.FromResult(Host.Status.State == NodeState.Streaming), "the node should stream");

    /// <summary>Waits for a condition; fails with the node's own words.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition, string expectation)
    {
        for (var deadline = DateTime.UtcNow + patience; !await condition(); await Task.Delay(5))
        {
            if (run.IsFaulted) await run;
            if (DateTime.UtcNow > deadline)
                throw new TimeoutException($"{expectation}; state {Host.Status.State}, last error '{Host.Status.LastError}', log:\n{string.Join('\n', Log)}");
        }
    }

    /// <summary>Waits until everything committed so far is in Redis and confirmed, and every table has its copy.</summary>
    public async Task CaughtUpAsync()
    {
        var now = Lsn.Parse((string)(await ScalarAsync("select pg_current_wal_insert_lsn()::text"))!);
        await SqlAsync("select pg_logical_emit_message(true, 'test', 'behind')");
        await UntilAsync(() => Task.FromResult(Lsn.Parse(Host.Status.Lsn.Applied) >= now && Host.Status.Resyncs.All(r => r.IsOver || !r.IsCopy)), $"everything up to {now} should be applied");
    }

    public async Task StopNodeAsync()
    {
        await stop.CancelAsync();
        await run;
        await Host.DisposeAsync();
    }

    /// <summary>What ended the node.</summary>
    public async Task<SyncException> FailureAsync() => await Should.ThrowAsync<SyncException>(() => run.WaitAsync(patience));

    public async Task SqlAsync(string text)
    {
        await using var command = new NpgsqlCommand(text, sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<object?> ScalarAsync(string text)
    {
        await using var command = new NpgsqlCommand(text, sql);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>All rows of a query; NULL is null.</summary>
    public async Task<List<object?[]>> QueryAsync(string text)
    {
        await using var command = new NpgsqlCommand(text, sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<object?[]>();
        while (await reader.ReadAsync())
        {
            object[] values = new object[reader.FieldCount];
            reader.GetValues(values);
            rows.Add([.. values.Select(v => v is DBNull ? null : v)]);
        }
        return rows;
    }

    public Task<object?> RedisAsync(params string[] arguments) => redis.CommandAsync(arguments);

    public async Task<string?> GetAsync(string key) => (string?)await RedisAsync("GET", key);

    /// <summary>A hash as "field=value" in the order of the fields; empty when there is none.</summary>
    public async Task<string> HashAsync(string key)
    {
        var items = (object?[])(await RedisAsync("HGETALL", key))!;
        return string.Join(' ', items.Chunk(2).Select(p => $"{p[0]}={p[1]}").Order(StringComparer.Ordinal));
    }

    /// <summary>All keys but ActorSync's own, sorted.</summary>
    public async Task<string[]> KeysAsync() =>
        [.. ((object?[])(await RedisAsync("KEYS", "*"))!).Select(k => (string)k!).Where(k => !k.StartsWith("actorsync:", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        try { await run; }
        catch (Exception e) when (e is SyncException or OperationCanceledException) { /* The test has looked at it. */ }
        await sql.DisposeAsync();
        redis.Dispose();
        await servers.Postgres.ExecuteAsync($"select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '{Database}' and not active");
    }
}

using System.Globalization;
using Npgsql;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>A database of its own and an empty Redis, and any number of nodes of one slot between them.</summary>
sealed class Stage : IAsyncDisposable
{
    readonly List<TestNode> nodes = [];

    Stage(PostgresServer postgres, RedisServer redis, string database) => (Postgres, Redis, Database) = (postgres, redis, database);

    /// <summary>The server that is the primary.</summary>
    public PostgresServer Postgres { get; set; }
    public RedisServer Redis { get; }
    public string Database { get; }
    public string Slot => Database;

    /// <summary>What follows <c>tables:</c>, indented by two.</summary>
    public string Tables { get; set; } = "";

    /// <summary>Further lines of the configuration.</summary>
    public string Extra { get; set; } = "";

    /// <summary>Short, because a node that was cut off waits so long for its Redis.</summary>
    public string ShutdownTimeout { get; set; } = "2s";

    /// <summary>Changes the configuration before it is read.</summary>
    public Func<string, string> Edit { get; set; } = yaml => yaml;

    /// <summary>Opens both ends and runs the schema.</summary>
    public static async Task<Stage> OpenAsync(PostgresServer postgres, RedisServer redis, string schema, string tables, string extra = "")
    {
        await redis.ExecAsync("FLUSHALL");
        var stage = new Stage(postgres, redis, await postgres.CreateDatabaseAsync()) { Tables = tables, Extra = extra };
        await stage.SqlAsync(schema);
        return stage;
    }

    public static Task<Stage> OpenAsync(Servers servers, string schema, string tables, string extra = "") =>
        OpenAsync(servers.Postgres, servers.Redis, schema, tables, extra);

    public static Task<Stage> OpenAsync(BreakableServers servers, string schema, string tables, string extra = "") =>
        OpenAsync(servers.Postgres, servers.Redis, schema, tables, extra);

    public string Config(int workers, int postgresPort, int redisPort) => Edit($$"""
        postgres:
          conn: { host: 127.0.0.1, port: {{postgresPort}}, database: {{Database}}, user: postgres }
          repl: { pub: pub, slot: {{Slot}} }
        redis:
          conn: { host: 127.0.0.1, port: {{redisPort}} }
        flushWorkers: {{workers}}
        retryPolicy: { initialBackoff: 20ms, maxBackoff: 200ms }
        shutdownTimeout: {{ShutdownTimeout}}
        {{Extra.ReplaceLineEndings("\n")}}
        tables:
        {{Tables.ReplaceLineEndings("\n")}}
        """);

    /// <summary>Begins a node and does not wait for anything.</summary>
    public TestNode Begin(int workers = 4, HostOptions? options = null, bool redisIsAway = false)
    {
        Wire postgres = new(Postgres.Port), redis = new(Redis.Port);
        if (redisIsAway) redis.Cut();
        var node = new TestNode(Pipeline.Load(Config(workers, postgres.Port, redis.Port)), options ?? new HostOptions(), postgres, redis);
        nodes.Add(node);
        return node;
    }

    /// <summary>Begins a node and waits until it streams.</summary>
    public async Task<TestNode> StartAsync(int workers = 4)
    {
        var node = Begin(workers);
        await node.ReachesAsync(NodeState.Streaming);
        return node;
    }

    public Task SqlAsync(string sql) => Postgres.ExecuteAsync(sql, Database);

    public Task<T?> ScalarAsync<T>(string sql) => Postgres.ScalarAsync<T>(sql, Database);

    public Task<object?> RedisAsync(params string[] arguments) => Redis.ExecAsync(arguments);

    public async Task<long> CountAsync(params string[] arguments) => (long)(await RedisAsync(arguments))!;

    /// <summary>A counter's value; 0 when there is none.</summary>
    public async Task<long> NumberAsync(string key) => long.Parse((string?)await RedisAsync("GET", key) ?? "0", CultureInfo.InvariantCulture);

    public async Task<string[]> ItemsAsync(params string[] arguments) => [.. ((object?[])(await RedisAsync(arguments))!).Select(i => (string)i!)];

    /// <summary>All keys but ActorSync's own.</summary>
    public async Task<string[]> KeysAsync() => [.. (await ItemsAsync("KEYS", "*")).Where(k => !k.StartsWith("actorsync:", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    /// <summary>A hash as "field=value …" in the order of the fields; empty when there is none.</summary>
    public async Task<string> HashAsync(string key) =>
        string.Join(' ', (await ItemsAsync("HGETALL", key)).Chunk(2).Select(p => $"{p[0]}={p[1]}").Order(StringComparer.Ordinal));

    /// <summary>Waits until everything committed so far is in Redis.</summary>
    public async Task CaughtUpAsync(TestNode node)
    {
        var now = Lsn.Parse((await ScalarAsync<string>("select pg_current_wal_insert_lsn()::text"))!);
        await SqlAsync("select pg_logical_emit_message(true, 'test', 'behind')");
        await node.UntilAsync(() => node.Status.State == NodeState.Streaming && Lsn.Parse(node.Status.Lsn.Applied) >= now && node.Status.Resyncs.All(r => r.IsOver || !r.IsCopy), $"everything up to {now} should be applied");
    }

    public Task<string?> ConfirmedAsync() => ScalarAsync<string>($"select confirmed_flush_lsn::text from pg_replication_slots where slot_name = '{Slot}'");

    /// <summary>Compares every hash that the default commands make of a table of (id, …) with what SQL says; returns the first differences.</summary>
    public async Task<List<string>> DifferencesAsync(string table, string columns)
    {
        var expected = new Dictionary<string, string>();
        await using (var connection = await Postgres.OpenAsync(Database))
        await using (var command = new NpgsqlCommand(
            $"select id::text, array(select key || '=' || value from json_each_text(row_to_json(r)) where value is not null order by key collate \"C\") from (select {columns} from {table}) r", connection))
        await using (var row = await command.ExecuteReaderAsync())
            while (await row.ReadAsync()) expected[$"public.{table}:{row.GetString(0)}"] = string.Join(' ', row.GetFieldValue<string[]>(1));
        var differences = new List<string>();
        using var redis = await Redis.ClientAsync();
        foreach (object? item in (object?[])(await redis.CommandAsync("KEYS", $"public.{table}:*"))!)
        {
            string key = (string)item!;
            bool isHash = (string)(await redis.CommandAsync("TYPE", key))! == "hash";
            object?[] fields = isHash ? (object?[])(await redis.CommandAsync("HGETALL", key))! : [];
            string found = isHash ? string.Join(' ', fields.Chunk(2).Select(p => $"{p[0]}={p[1]}").Order(StringComparer.Ordinal)) : "no hash";
            if (!expected.Remove(key, out string? wanted)) differences.Add($"{key} should not be there: {found}");
            else if (found != wanted) differences.Add($"{key}: {found} instead of {wanted}");
        }
        differences.AddRange(expected.Keys.Select(k => $"{k} is missing"));
        return [.. differences.Take(10)];
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(nodes.Select(node => node.DisposeAsync().AsTask()));
        await Postgres.ExecuteAsync($"select pg_terminate_backend(active_pid) from pg_replication_slots where database = '{Database}' and active");
        await Postgres.ExecuteAsync($"select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '{Database}' and not active");
    }
}

using System.Text.Json.Nodes;
using Npgsql;

namespace Sync.Load.Workloads;

/// <summary>How much of a contestant's result is compared with PostgreSQL.</summary>
enum ContentCheck
{
    /// <summary>It writes nothing.</summary>
    None,
    /// <summary>The number of keys. Its values are rendered in its own way.</summary>
    Keys,
    /// <summary>The number of keys, and a sample of them with all they hold.</summary>
    Values,
}

/// <summary>
/// A workload's changes, committed and kept by slots that stand before them, one for each output plugin. Every drain gets a copy of its slot,
/// so that all contestants read the same WAL from the same place.
/// </summary>
sealed class Backlog : IAsyncDisposable
{
    readonly Stage stage;
    readonly IReadOnlyCollection<string> plugins;
    CommandFile? commands;
    int drains;

    Backlog(Stage stage, Workload workload, IReadOnlyCollection<string> plugins)
    {
        this.stage = stage;
        this.plugins = plugins;
        Workload = workload;
    }

    public Workload Workload { get; }

    /// <summary>Where the WAL stood when all changes were in it.</summary>
    public string End { get; private set; } = "";

    /// <param name="stage">The servers.</param>
    /// <param name="workload">What to do.</param>
    /// <param name="plugins">Output plugins that contestants read with.</param>
    public static async Task<Backlog> PrepareAsync(Stage stage, Workload workload, IReadOnlyCollection<string> plugins)
    {
        foreach (string statement in workload.Schema) await stage.ExecuteAsync(statement);
        var backlog = new Backlog(stage, workload, plugins);
        foreach (string plugin in plugins) await stage.ExecuteAsync($"select pg_create_logical_replication_slot('{SlotOf(plugin)}', '{plugin}')");
        foreach (string statement in workload.Changes) await stage.ExecuteAsync(statement);
        backlog.End = await stage.Postgres.ScalarAsync<string>("select pg_current_wal_insert_lsn()::text") ?? "";
        // Written out now rather than in the middle of the first drain.
        await stage.ExecuteAsync("checkpoint");
        return backlog;
    }

    static string SlotOf(string plugin) => $"backlog_{plugin}";

    /// <summary>Names a slot of its own that stands before the changes.</summary>
    public async Task<string> NewSlotAsync(string plugin)
    {
        string name = $"drain_{++drains}";
        await stage.ExecuteAsync($"select pg_copy_logical_replication_slot('{SlotOf(plugin)}', '{name}')");
        return name;
    }

    /// <summary>The commands that our node makes of the changes, without its own; written when first asked for.</summary>
    public async Task<CommandFile> CommandsAsync() => commands ??= await CommandFile.WriteAsync(stage, this);

    /// <summary>Compares Redis with PostgreSQL.</summary>
    /// <returns>What differs, or null.</returns>
    public async Task<string?> DifferenceAsync(ContentCheck check)
    {
        if (check == ContentCheck.None) return null;
        var redis = stage.RedisClient;
        long own = ((object?[])(await redis.CommandAsync("KEYS", "actorsync:*"))!).Length;
        long keys = (long)(await redis.CommandAsync("DBSIZE"))! - own;
        await using var connection = await stage.Postgres.OpenAsync();
        await using var count = new NpgsqlCommand(Workload.KeyCount, connection) { CommandTimeout = 0 };
        long wanted = (long)(await count.ExecuteScalarAsync())!;
        if (keys != wanted) return $"Redis holds {keys} keys instead of {wanted}";
        if (check == ContentCheck.Keys) return null;
        await using var command = new NpgsqlCommand(Workload.Sample, connection) { CommandTimeout = 0 };
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
            if (await DifferenceAsync(rows.GetString(0), rows.IsDBNull(1) ? null : rows.GetFieldValue<string[]>(1)) is { } difference) return difference;
        return null;
    }

    async Task<string?> DifferenceAsync(string key, string[]? expected)
    {
        var redis = stage.RedisClient;
        if (expected is [string json])
        {
            string? text = (string?)await redis.CommandAsync("GET", key);
            return text is not null && JsonNode.DeepEquals(JsonNode.Parse(text), JsonNode.Parse(json)) ? null : $"{key} is '{text}' instead of '{json}'";
        }
        if (expected is null) return (long)(await redis.CommandAsync("EXISTS", key))! == 0 ? null : $"{key} is there and should not be";
        string wanted = Hash(expected), found = Hash([.. ((object?[])(await redis.CommandAsync("HGETALL", key))!).Cast<string>()]);
        return found == wanted ? null : $"{key} is '{found}' instead of '{wanted}'";
    }

    static string Hash(string[] fields) =>
        string.Join(' ', fields.Chunk(2).Select(pair => $"{pair[0]}={pair[1]}").Order(StringComparer.Ordinal));

    /// <summary>Lets PostgreSQL forget the changes, the tables and whatever else the workload made.</summary>
    public async ValueTask DisposeAsync()
    {
        commands?.Dispose();
        foreach (string plugin in plugins) await stage.ExecuteAsync($"select pg_drop_replication_slot('{SlotOf(plugin)}')");
        await stage.ExecuteAsync($"drop publication {Workload.Publication}");
        await stage.ExecuteAsync("drop schema public cascade");
        await stage.ExecuteAsync("create schema public");
        await stage.ExecuteAsync("checkpoint");
    }
}

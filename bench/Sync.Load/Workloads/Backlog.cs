using Npgsql;

namespace Sync.Load.Workloads;

/// <summary>
/// A workload's changes, committed and kept by a slot that stands before them. Every drain gets a copy of that slot, so that all
/// contestants read the same WAL from the same place.
/// </summary>
sealed class Backlog
{
    const string slot = "backlog";

    readonly Stage stage;
    int drains;

    Backlog(Stage stage, Workload workload)
    {
        this.stage = stage;
        Workload = workload;
    }

    public Workload Workload { get; }

    public static async Task<Backlog> PrepareAsync(Stage stage, Workload workload)
    {
        foreach (string statement in workload.Schema) await stage.ExecuteAsync(statement);
        await stage.ExecuteAsync($"select pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        foreach (string statement in workload.Changes) await stage.ExecuteAsync(statement);
        // Written out now rather than in the middle of the first drain.
        await stage.ExecuteAsync("checkpoint");
        return new Backlog(stage, workload);
    }

    /// <summary>Names a slot of its own that stands before the changes.</summary>
    public async Task<string> NewSlotAsync()
    {
        string name = $"drain_{++drains}";
        await stage.ExecuteAsync($"select pg_copy_logical_replication_slot('{slot}', '{name}')");
        return name;
    }

    /// <summary>Compares Redis with PostgreSQL: the number of keys, and a sample of them with all fields.</summary>
    /// <returns>What differs, or null.</returns>
    public async Task<string?> DifferenceAsync()
    {
        var redis = stage.RedisClient;
        long own = ((object?[])(await redis.CommandAsync("KEYS", "actorsync:*"))!).Length;
        long keys = (long)(await redis.CommandAsync("DBSIZE"))! - own;
        if (keys != Workload.Keys) return $"Redis holds {keys} keys instead of {Workload.Keys}";
        await using var connection = await stage.Postgres.OpenAsync();
        await using var command = new NpgsqlCommand(Workload.Sample, connection) { CommandTimeout = 0 };
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            string key = rows.GetString(0);
            string expected = rows.IsDBNull(1) ? "" : Hash(rows.GetFieldValue<string[]>(1));
            string found = Hash([.. ((object?[])(await redis.CommandAsync("HGETALL", key))!).Cast<string>()]);
            if (found != expected) return $"{key} is '{found}' instead of '{expected}'";
        }
        return null;
    }

    static string Hash(string[] fields) =>
        string.Join(' ', fields.Chunk(2).Select(pair => $"{pair[0]}={pair[1]}").Order(StringComparer.Ordinal));

    /// <summary>Lets PostgreSQL forget the changes.</summary>
    public Task DropAsync() => stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
}

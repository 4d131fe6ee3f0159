using System.Globalization;
using System.Text;
using Npgsql;
using Sync.Testing;

namespace Sync.Faults.Checking;

/// <summary>
/// What Redis must hold, computed from PostgreSQL alone: by SQL and the few lines below, which know the tables of the load and nothing of our mapping. Values
/// are compared as bytes, one char each (Latin-1).
/// </summary>
sealed class Expectation
{
    /// <summary>Key → its value, for strings; field → value, for hashes; members, for sets.</summary>
    public Dictionary<string, string> Strings { get; } = [];
    public Dictionary<string, Dictionary<string, string>> Hashes { get; } = [];
    public Dictionary<string, HashSet<string>> Sets { get; } = [];

    /// <summary>Lists and streams: one text per entry, in order.</summary>
    public Dictionary<string, List<string>> Sequences { get; } = [];

    /// <summary>Key and field ("" for a string) → every amount that was ever added, in order.</summary>
    public Dictionary<(string Key, string Field), List<long>> Sums { get; } = [];

    /// <summary>Rows of the history, and markers.</summary>
    public long Changes { get; private set; }

    public static async Task<Expectation> ReadAsync(PostgresServer postgres, string database)
    {
        var expectation = new Expectation();
        await using var connection = await postgres.OpenAsync(database);
        await expectation.ReadStateAsync(connection);
        await expectation.ReadHistoryAsync(connection);
        return expectation;
    }

    /// <summary>The same of the rows alone: sums of what is booked now, and nothing that was told.</summary>
    public static async Task<Expectation> ReadRowsAsync(PostgresServer postgres, string database)
    {
        var expectation = new Expectation();
        await using var connection = await postgres.OpenAsync(database);
        await expectation.ReadStateAsync(connection);
        expectation.Sequences.Clear();
        await EachAsync(connection, "select owner || '|' || kind, sum(amount)::text from entry group by 1", row => expectation.Book(row[0]!, Number(row[1]!)));
        expectation.Changes = 1;
        return expectation;
    }

    async Task ReadStateAsync(NpgsqlConnection connection)
    {
        await EachAsync(connection, "select id::text, name, qty::text, big, v::text from item", row =>
        {
            var hash = Hashes[$"item:{row[0]}"] = new() { ["id"] = row[0]!, ["v"] = row[4]! };
            if (row[1] is { } name) hash["name"] = name;
            if (row[2] is { } quantity) hash["qty"] = quantity;
            if (row[3] is { } big) hash["big"] = big;
        });
        await EachAsync(connection, "select id::text, body from doc", row => Strings[$"doc:{row[0]}"] = row[1]!);
        await EachAsync(connection, "select grp::text, name from member", row => Entry(Sets, $"group:{row[0]}").Add(row[1]!));
        await EachAsync(connection, "select id::text, n::text from marker", row => Strings[$"marker:{row[0]}"] = row[1]!);
        await EachAsync(connection, "select k::text, seq::text, body from event e order by e.k, e.seq", row =>
        {
            Entry(Sequences, $"log:{row[0]}").Add($"seq {row[1]} body {row[2]}");
            Entry(Sequences, $"tail:{row[0]}").Add(row[1]!);
            Entry(Sequences, $"head:{row[0]}").Add(row[1]!);
        });
        foreach (var (_, list) in Sequences.Where(s => s.Key.StartsWith("head:", StringComparison.Ordinal))) list.Reverse();
    }

    Task ReadHistoryAsync(NpgsqlConnection connection) => EachAsync(connection, "select t, op, ok, ov, nk, nv from history order by id", row =>
    {
        Changes++;
        var (table, oldKey, oldValue, newKey, newValue) = (row[0], row[2], row[3], row[4], row[5]);
        bool ends = oldKey is not null && oldKey != newKey;
        switch (table)
        {
            case "item":
                if (ends) Entry(Sequences, $"steps:{oldKey}").Add("x");
                if (newKey is not null) Entry(Sequences, $"steps:{newKey}").Add(newValue!);
                break;
            case "doc":
                if (ends) Entry(Sequences, $"trail:{oldKey}").Add($"-{oldValue}");
                if (newKey is not null) Entry(Sequences, $"trail:{newKey}").Add(newValue!);
                break;
            case "entry":
                long before = oldValue is null ? 0 : Number(oldValue), now = newValue is null ? 0 : Number(newValue);
                if (!ends && newKey is not null) Book(newKey, now - before);
                if (ends) Book(oldKey!, -before);
                if (ends && newKey is not null) Book(newKey, now);
                break;
        }
    });

    void Book(string ownerAndKind, long amount)
    {
        string[] parts = ownerAndKind.Split('|');
        Entry(Sums, ($"total:{parts[0]}", "")).Add(amount);
        Entry(Sums, ($"kinds:{parts[0]}", parts[1])).Add(amount);
        Entry(Sums, ("rank", parts[0])).Add(amount);
    }

    static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    static TValue Entry<TKey, TValue>(Dictionary<TKey, TValue> all, TKey key) where TKey : notnull where TValue : new() =>
        all.TryGetValue(key, out var value) ? value : all[key] = new TValue();

    static async Task EachAsync(NpgsqlConnection connection, string sql, Action<string?[]> use)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 300 };
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            string?[] row = new string?[reader.FieldCount];
            for (int i = 0; i < row.Length; i++) row[i] = reader.IsDBNull(i) ? null : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(reader.GetString(i)));
            use(row);
        }
    }
}

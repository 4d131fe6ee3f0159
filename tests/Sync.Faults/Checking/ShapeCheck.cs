using System.Diagnostics;
using System.Text;
using Npgsql;
using Sync.Faults.Load;
using Sync.Faults.Servers;

namespace Sync.Faults.Checking;

/// <summary>
/// Compares the tables whose shape changes with their keys. They may be behind for as long as the watch of the schema and a reading take, and no
/// longer: a minute.
/// </summary>
static class ShapeCheck
{
    static readonly TimeSpan longest = TimeSpan.FromMinutes(1);

    /// <summary>Whether a key is of one of these tables.</summary>
    public static bool IsOf(string key) => Array.Exists(ShiftingTables.Names, name => key.StartsWith($"{name}:", StringComparison.Ordinal));

    /// <summary>Waits until Redis is right.</summary>
    /// <returns>How long that took, and what still differs after a minute; nobody may be writing meanwhile.</returns>
    public static async Task<(TimeSpan Took, IReadOnlyList<string> Differences)> RunAsync(Site site, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var differences = await CompareAsync(site);
            if (differences.Count == 0 || watch.Elapsed > longest) return (watch.Elapsed, differences);
            await Task.Delay(500, cancellationToken);
        }
    }

    static async Task<List<string>> CompareAsync(Site site)
    {
        var expected = new Dictionary<string, string>();
        await using var connection = await site.Postgres.OpenAsync(site.Database);
        foreach (string table in ShiftingTables.Names)
        {
            await using var command = new NpgsqlCommand(
                $"select id::text, array(select key || '=' || value from json_each_text(row_to_json(r)) where value is not null order by key collate \"C\") from {table} r", connection);
            await using var row = await command.ExecuteReaderAsync();
            while (await row.ReadAsync()) expected[$"{table}:{row.GetString(0)}"] = Latin(string.Join(' ', row.GetFieldValue<string[]>(1)));
        }
        using var redis = await site.Redis.ClientAsync();
        var differences = new List<string>();
        foreach (var (key, value) in (await Content.ReadAsync(redis)).Keys.Where(k => IsOf(k.Key)))
        {
            string found = value is Dictionary<string, string> hash ? string.Join(' ', hash.Select(f => $"{f.Key}={f.Value}").Order(StringComparer.Ordinal)) : "no hash";
            if (!expected.Remove(key, out string? wanted)) differences.Add($"{key} is there, its row is gone: {found}");
            else if (found != wanted) differences.Add($"{key} holds {found} instead of {wanted}");
        }
        differences.AddRange(expected.Select(e => $"{e.Key} is missing: {e.Value}"));
        return differences;
    }

    static string Latin(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
}

using System.Globalization;

namespace Sync.Faults.Checking;

/// <summary>Compares the whole content of Redis with what PostgreSQL says, and says of each difference what it is.</summary>
static class Comparison
{
    public static Tally Run(Expectation expected, Content content)
    {
        var tally = new Tally { Changes = expected.Changes };
        var left = content.Keys.Where(k => !ShapeCheck.IsOf(k.Key)).ToDictionary();
        foreach (var (key, value) in expected.Strings) Text(tally, key, value, Take(left, key));
        foreach (var (key, fields) in expected.Hashes) Hash(tally, key, fields, Take(left, key));
        foreach (var (key, members) in expected.Sets) Set(tally, key, members, Take(left, key));
        foreach (var (key, entries) in expected.Sequences) Sequence(tally, key, entries, Take(left, key) as List<string> ?? []);
        foreach (var group in expected.Sums.GroupBy(s => s.Key.Key)) Sums(tally, group, Take(left, group.Key));
        tally.Keys = content.Keys.Count;
        foreach (string key in left.Keys)
        {
            // A key of the load whose row is gone misses its delete; a key of nobody is foreign.
            if (key.Split(':')[0] is "item" or "doc" or "group") tally.AddLost(1, $"{key} is there, its row is gone");
            else tally.AddForeign(1, $"{key} is there, and nothing committed put it there");
        }
        return tally;
    }

    static object? Take(Dictionary<string, object> left, string key) => left.Remove(key, out object? value) ? value : null;

    static void Text(Tally tally, string key, string expected, object? found)
    {
        if (found as string != expected) tally.AddLost(1, $"{key} holds {Short(found as string)} instead of {Short(expected)}");
    }

    static void Hash(Tally tally, string key, Dictionary<string, string> expected, object? found)
    {
        var fields = found as Dictionary<string, string> ?? [];
        string[] differing = [.. expected.Keys.Union(fields.Keys).Where(f => expected.GetValueOrDefault(f) != fields.GetValueOrDefault(f)).Order()];
        if (differing.Length == 0) return;
        string field = differing[0];
        tally.AddLost(1, $"{key} differs in {string.Join(", ", differing)}: {field} is {Short(fields.GetValueOrDefault(field))} instead of {Short(expected.GetValueOrDefault(field))}");
    }

    static void Set(Tally tally, string key, HashSet<string> expected, object? found)
    {
        var members = found as HashSet<string> ?? [];
        foreach (string member in expected.Except(members)) tally.AddLost(1, $"{key} lacks '{member}'");
        foreach (string member in members.Except(expected)) tally.AddLost(1, $"{key} has '{member}', which was removed");
    }

    /// <summary>
    /// An entry is its text and how often it was there before. What is expected and not found is lost; what is found once more than expected is duplicated
    /// (or foreign, if it is never expected); what is found behind an entry that should follow it is reordered.
    /// </summary>
    static void Sequence(Tally tally, string key, List<string> expected, List<string> found)
    {
        if (expected.SequenceEqual(found)) return;
        var places = new Dictionary<(string, int), int>();
        var counts = new Dictionary<string, int>();
        for (int i = 0; i < expected.Count; i++) places[(expected[i], Next(counts, expected[i]))] = i;

        var seen = new Dictionary<string, int>();
        int highest = -1;
        for (int i = 0; i < found.Count; i++)
        {
            string entry = found[i];
            if (places.Remove((entry, Next(seen, entry)), out int place))
            {
                if (place < highest) tally.AddReordered(1, $"{key} has {Short(entry)} at {i}, behind what came later; expected at {place}");
                highest = Math.Max(highest, place);
            }
            else if (counts.ContainsKey(entry))
            {
                tally.AddDuplicated(1, $"{key} has {Short(entry)} once more, at {i}");
            }
            else
            {
                tally.AddForeign(1, $"{key} has {Short(entry)} at {i}, which was never committed");
            }
        }
        foreach (var ((entry, _), place) in places.OrderBy(p => p.Value)) tally.AddLost(1, $"{key} lacks {Short(entry)}, expected at {place} of {expected.Count}");
    }

    static int Next(Dictionary<string, int> counts, string entry) => counts[entry] = counts.GetValueOrDefault(entry) + 1;

    /// <summary>A sum that is off by an amount that was booked once misses it, or has it twice; any other difference counts as one lost change.</summary>
    static void Sums(Tally tally, IEnumerable<KeyValuePair<(string Key, string Field), List<long>>> group, object? found)
    {
        var rest = found is Dictionary<string, string> pairs ? new Dictionary<string, string>(pairs) : [];
        if (found is string text) rest[""] = text;
        foreach (var ((key, field), amounts) in group)
        {
            string name = field.Length > 0 ? $"{key} {field}" : key;
            long sum = amounts.Sum();
            if (!rest.Remove(field, out string? value)) tally.AddLost(amounts.Count, $"{name} is missing");
            else if (value == sum.ToString(CultureInfo.InvariantCulture)) continue;
            else if (!long.TryParse(value, CultureInfo.InvariantCulture, out long number)) tally.AddForeign(1, $"{name} is {Short(value)}, no whole number");
            else if (amounts.Contains(number - sum)) tally.AddDuplicated(1, $"{name} is {number} instead of {sum}: {number - sum} was added twice");
            else tally.AddLost(1, $"{name} is {number} instead of {sum}: {(amounts.Contains(sum - number) ? $"{sum - number} was not added" : "several changes")}");
        }
        foreach (var (field, value) in rest) tally.AddForeign(1, $"{group.First().Key.Key} {field} = {Short(value)} was never booked");
    }

    static string Short(string? text) => text is null ? "nothing" : text.Length <= 60 ? $"'{text}'" : $"'{text[..57]}…' ({text.Length} bytes)";
}

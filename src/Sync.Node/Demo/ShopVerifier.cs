using System.Globalization;
using System.Text.Json;

namespace Sync.Node.Demo;

/// <summary>Compares every key that Redis must hold with every key it holds.</summary>
static class ShopVerifier
{
    /// <summary>One sentence for each key that is missing, superfluous or different; empty when all is as it must be.</summary>
    public static List<string> Compare(IReadOnlyDictionary<string, ShopValue> expected, IReadOnlyDictionary<string, FoundKey> found)
    {
        var differences = new List<string>();
        foreach (var (key, value) in expected)
        {
            if (!found.TryGetValue(key, out var actual))
            {
                if (!IsNothing(value)) differences.Add($"{key} is missing");
            }
            else if (Difference(value, actual) is { } difference)
                differences.Add($"{key}: {difference}");
        }
        foreach (var (key, actual) in found)
            if (!expected.ContainsKey(key) && !IsSpentCounter(key, actual)) differences.Add($"{key} should not be there; it is a {actual.Type}");
        return differences;
    }

    /// <summary>A count that went back to 0 keeps its key, and PostgreSQL has no row left that tells of it.</summary>
    static bool IsSpentCounter(string key, FoundKey actual) =>
        actual is { Type: "string", Content: "0" }
        && (key.StartsWith("sold:", StringComparison.Ordinal) || key.StartsWith("stock-total:", StringComparison.Ordinal));

    static bool IsNothing(ShopValue value) => value switch
    {
        CounterValue counter => counter.Count == 0,
        SumsValue sums => sums.Sums.Values.All(sum => sum == 0),
        RankingValue ranking => ranking.IsSum && ranking.Scores.Values.All(score => score == 0),
        _ => false,
    };

    static string? Difference(ShopValue expected, FoundKey actual)
    {
        if (expected.MaxTtl is null && actual.Ttl is not null) return $"it expires in {actual.Ttl}, but should not";
        if (expected.MaxTtl is { } limit && (actual.Ttl is not { } ttl || ttl > limit)) return $"it should expire within {limit}, but has {actual.Ttl?.ToString() ?? "no end"}";
        string type = expected switch
        {
            TextValue or JsonValue or CounterValue => "string",
            HashValue or JsonHashValue or SumsValue => "hash",
            SetValue => "set",
            RankingValue => "zset",
            _ => "stream",
        };
        if (actual.Type != type) return $"it is a {actual.Type} instead of a {type}";
        return expected switch
        {
            TextValue text => Text(text.Text, (string)actual.Content!),
            CounterValue counter => Text(counter.Count.ToString(CultureInfo.InvariantCulture), (string)actual.Content!),
            JsonValue json => Json(json.Json, (string)actual.Content!),
            HashValue hash => Fields(hash.Fields, ShopKeyspace.Pairs(actual.Content), Text),
            JsonHashValue hash => Fields(hash.Fields, ShopKeyspace.Pairs(actual.Content), Json),
            SumsValue sums => Sums(sums.Sums, ShopKeyspace.Pairs(actual.Content)),
            SetValue set => Members(set.Members, [.. ((object?[])actual.Content!).Select(member => (string)member!)]),
            RankingValue ranking => Ranking(ranking, ShopKeyspace.Pairs(actual.Content)),
            StreamValue stream => Stream(stream, (object?[])actual.Content!),
            _ => throw new InvalidOperationException($"No comparison for {expected.GetType().Name}."),
        };
    }

    static string? Text(string expected, string actual) => expected == actual ? null : $"expected {Short(expected)}, found {Short(actual)}";

    static string? Json(string expected, string actual)
    {
        try
        {
            using JsonDocument left = JsonDocument.Parse(expected), right = JsonDocument.Parse(actual);
            return SameJson(left.RootElement, right.RootElement) ? null : $"expected {Short(expected)}, found {Short(actual)}";
        }
        catch (JsonException) { return $"not JSON: {Short(actual)}"; }
    }

    static bool SameJson(JsonElement expected, JsonElement actual)
    {
        if (expected.ValueKind != actual.ValueKind) return false;
        switch (expected.ValueKind)
        {
            case JsonValueKind.Object:
                var members = expected.EnumerateObject().ToList();
                var others = actual.EnumerateObject().ToList();
                return members.Count == others.Count
                    && members.Zip(others).All(pair => pair.First.Name == pair.Second.Name && SameJson(pair.First.Value, pair.Second.Value));
            case JsonValueKind.Array:
                return expected.GetArrayLength() == actual.GetArrayLength()
                    && expected.EnumerateArray().Zip(actual.EnumerateArray()).All(pair => SameJson(pair.First, pair.Second));
            case JsonValueKind.Number: return expected.GetRawText() == actual.GetRawText();
            case JsonValueKind.String: return expected.GetString() == actual.GetString();
            default: return true;
        }
    }

    static string? Fields(IReadOnlyDictionary<string, string> expected, Dictionary<string, string> actual, Func<string, string, string?> compare)
    {
        foreach (var (field, value) in expected)
        {
            if (!actual.TryGetValue(field, out string? there)) return $"the field {field} is missing";
            if (compare(value, there) is { } difference) return $"in the field {field} {difference}";
        }
        return actual.Keys.FirstOrDefault(field => !expected.ContainsKey(field)) is { } extra ? $"the field {extra} should not be there" : null;
    }

    static string? Sums(IReadOnlyDictionary<string, decimal> expected, Dictionary<string, string> actual)
    {
        foreach (string field in expected.Keys.Union(actual.Keys))
        {
            decimal sum = expected.GetValueOrDefault(field);
            string there = actual.GetValueOrDefault(field, "0");
            if (!decimal.TryParse(there, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value) || Math.Round(value, 2) != sum)
                return $"the sum of {field} should be {sum.ToString(CultureInfo.InvariantCulture)}, but is {there}";
        }
        return null;
    }

    static string? Members(IReadOnlySet<string> expected, HashSet<string> actual)
    {
        if (expected.FirstOrDefault(member => !actual.Contains(member)) is { } missing) return $"the member {missing} is missing";
        return actual.FirstOrDefault(member => !expected.Contains(member)) is { } extra ? $"the member {extra} should not be there" : null;
    }

    static string? Ranking(RankingValue expected, Dictionary<string, string> actual)
    {
        foreach (string member in expected.Scores.Keys.Union(actual.Keys))
        {
            bool should = expected.Scores.TryGetValue(member, out double score), there = actual.TryGetValue(member, out string? text);
            if (expected.IsSum ? score != (there ? ShopKeyspace.Score(text!) : 0) : should != there || score != ShopKeyspace.Score(text!))
                return $"the score of {member} should be {(should ? score.ToString(CultureInfo.InvariantCulture) : "none")}, but is {text ?? "none"}";
        }
        return null;
    }

    static string? Stream(StreamValue expected, object?[] actual)
    {
        var entries = actual.Select(entry => ShopKeyspace.Pairs(((object?[])entry!)[1])).ToList();
        if (entries.Count != expected.Entries.Count) return $"expected {expected.Entries.Count} entries, found {entries.Count}";
        var found = entries.ToLookup(entry => entry.GetValueOrDefault(expected.OrderedBy));
        foreach (var group in expected.Entries.GroupBy(entry => entry[expected.OrderedBy]))
        {
            var there = found[group.Key].ToList();
            if (there.Count != group.Count()) return $"expected {group.Count()} entries of {expected.OrderedBy} {group.Key}, found {there.Count}";
            foreach (var (wanted, entry) in group.Zip(there))
                if (Fields(wanted, entry, Text) is { } difference) return $"among the entries of {expected.OrderedBy} {group.Key} {difference}";
        }
        return null;
    }

    static string Short(string text) => text.Length <= 200 ? $"\"{text}\"" : $"\"{text[..200]}…\" ({text.Length} characters)";
}

using System.Text.Json;

namespace Sync.Engine.Verification;

/// <summary>Compares JSON by value: Redis keeps documents parsed, with numbers as integers or doubles, and prints them in its own way.</summary>
static class JsonValues
{
    /// <param name="found">What JSON.GET gave for the path.</param>
    /// <param name="path">A path that begins with $ gives an array of all matches (RedisJSON docs, JSON.GET).</param>
    /// <param name="expected">The value written, or the patch merged.</param>
    /// <param name="isPatch">Whether <paramref name="expected"/> is a merge patch (RFC 7386).</param>
    public static bool Holds(byte[] found, byte[] path, byte[] expected, bool isPatch)
    {
        try
        {
            using var left = JsonDocument.Parse(found);
            using var right = JsonDocument.Parse(expected);
            var value = left.RootElement;
            if (path is [(byte)'$', ..])
            {
                if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != 1) return false;
                value = value[0];
            }
            return isPatch ? IsMerged(value, right.RootElement) : AreEqual(value, right.RootElement);
        }
        catch (JsonException)
        {
            return found.AsSpan().SequenceEqual(expected);
        }
    }

    /// <summary>Whether applying the patch once more would change nothing.</summary>
    static bool IsMerged(JsonElement value, JsonElement patch)
    {
        if (patch.ValueKind != JsonValueKind.Object) return AreEqual(value, patch);
        if (value.ValueKind != JsonValueKind.Object) return false;
        foreach (var member in patch.EnumerateObject())
        {
            bool isThere = value.TryGetProperty(member.Name, out var own);
            if (member.Value.ValueKind == JsonValueKind.Null ? isThere : !isThere || !IsMerged(own, member.Value)) return false;
        }
        return true;
    }

    static bool AreEqual(JsonElement a, JsonElement b)
    {
        if (a.ValueKind != b.ValueKind) return false;
        switch (a.ValueKind)
        {
            case JsonValueKind.Number:
                return a.TryGetInt64(out long x) && b.TryGetInt64(out long y) ? x == y : a.GetDouble().Equals(b.GetDouble());
            case JsonValueKind.String:
                return a.GetString() == b.GetString();
            case JsonValueKind.Array:
                if (a.GetArrayLength() != b.GetArrayLength()) return false;
                for (int i = 0; i < a.GetArrayLength(); i++)
                    if (!AreEqual(a[i], b[i])) return false;
                return true;
            case JsonValueKind.Object:
                // Of a member that stands twice, the last one counts.
                var (left, right) = (Members(a), Members(b));
                return left.Count == right.Count && left.All(m => right.TryGetValue(m.Key, out var other) && AreEqual(m.Value, other));
            default:
                return true;
        }
    }

    static Dictionary<string, JsonElement> Members(JsonElement element)
    {
        var members = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var member in element.EnumerateObject()) members[member.Name] = member.Value;
        return members;
    }
}

using System.Globalization;
using System.Text;
using Sync.Engine.DeadLetters;

namespace Sync.Engine.Verification;

/// <summary>A reply of Redis as far as comparing needs it.</summary>
/// <param name="Error">The text of an error; null for none.</param>
/// <param name="Items">What came: one item, or those of an array; numbers as text, a pair joined by a blank, null for nothing.</param>
public readonly record struct ReadReply(string? Error, IReadOnlyList<byte[]?> Items)
{
    internal byte[]? First => Items.Count > 0 ? Items[0] : null;
}

public enum DifferenceKind
{
    /// <summary>Redis lacks what a row says.</summary>
    Missing,
    /// <summary>Redis holds something else than the row says.</summary>
    Different,
    /// <summary>Redis holds what no row says.</summary>
    Extra,
}

/// <param name="Kind">Its kind.</param>
/// <param name="Key">The key.</param>
/// <param name="Part">Field, member or path; null when it concerns the key as a whole.</param>
/// <param name="What">What differs, in words, with values cut short.</param>
public sealed record StateDifference(DifferenceKind Kind, byte[] Key, byte[]? Part, string What)
{
    /// <summary>Whether the key holds something of another type, so that nothing can be put into it.</summary>
    public bool IsWrongType { get; init; }
}

/// <summary>What to ask Redis about an expected key, and what its answers mean. Pure.</summary>
public static class StateReads
{
    /// <summary>How far a clock may differ from another when life times are compared.</summary>
    const long LifeSlackMs = 5000;

    /// <summary>Half a cell of the 52-bit hash that GEOADD keeps of a position (Redis docs, GEOADD), in degrees, rounded up.</summary>
    const double PlaceSlack = 6e-6;

    /// <summary>The commands, none of which changes anything.</summary>
    public static IEnumerable<byte[][]> Commands(ExpectedKey expected)
    {
        byte[] key = expected.Key;
        switch (expected.Content)
        {
            case KeyContent.Text: yield return [expected.Text is null ? "TYPE"u8.ToArray() : "GET"u8.ToArray(), key]; break;
            case KeyContent.Nothing: yield return ["TYPE"u8.ToArray(), key]; break;
            case KeyContent.Hash when expected.IsWhole: yield return ["HGETALL"u8.ToArray(), key]; break;
            case KeyContent.Hash when expected.Parts.Count > 0: yield return ["HMGET"u8.ToArray(), key, .. expected.Parts.Select(p => p.Name)]; break;
            case KeyContent.Places when expected.Parts.Count > 0: yield return ["GEOPOS"u8.ToArray(), key, .. expected.Parts.Select(p => p.Name)]; break;
            case KeyContent.Set or KeyContent.SortedSet or KeyContent.Json:
                byte[] ask = expected.Content switch { KeyContent.Set => "SISMEMBER"u8.ToArray(), KeyContent.SortedSet => "ZSCORE"u8.ToArray(), _ => "JSON.GET"u8.ToArray() };
                foreach (var part in expected.Parts) yield return [ask, key, part.Name];
                break;
        }
        if (AsksForLife(expected)) yield return ["PTTL"u8.ToArray(), key];
    }

    /// <summary>What differs; nothing when the key is as it should be.</summary>
    /// <param name="expected">The key.</param>
    /// <param name="replies">One for each of <see cref="Commands"/>.</param>
    public static IReadOnlyList<StateDifference> Compare(ExpectedKey expected, ReadOnlySpan<ReadReply> replies)
    {
        var found = new List<StateDifference>();
        int asked = replies.Length - (AsksForLife(expected) ? 1 : 0);
        foreach (var reply in replies[..asked])
            if (reply.Error is { } error)
            {
                bool isWrongType = error.StartsWith("WRONGTYPE", StringComparison.Ordinal);
                found.Add(Different(expected, null, isWrongType ? "the key is of another type" : $"Redis says: {error}") with { IsWrongType = isWrongType });
                return found;
            }
        switch (expected.Content)
        {
            case KeyContent.Text: Text(expected, replies[0].First, found); break;
            case KeyContent.Nothing:
                if (!IsNone(replies[0].First)) found.Add(new StateDifference(DifferenceKind.Extra, expected.Key, null, "the row's condition asks for no such key"));
                break;
            case KeyContent.Hash when expected.IsWhole: WholeHash(expected, replies[0].Items, found); break;
            case KeyContent.Hash or KeyContent.Places when asked > 0: Parts(expected, replies[0].Items, found); break;
            case KeyContent.Set or KeyContent.SortedSet or KeyContent.Json:
                byte[]?[] items = new byte[]?[asked];
                for (int i = 0; i < asked; i++) items[i] = Member(expected, replies[i].First);
                Parts(expected, items, found);
                break;
        }
        if (AsksForLife(expected) && found.Count == 0) Life(expected, replies[^1].First, found);
        return found;
    }

    static bool AsksForLife(ExpectedKey expected) => expected is { LifeMs: > 0, IsOwn: true };

    static bool IsNone(byte[]? type) => type is null || type.AsSpan().SequenceEqual("none"u8);

    /// <summary>SISMEMBER says 0 or 1.</summary>
    static byte[]? Member(ExpectedKey expected, byte[]? reply) =>
        expected.Content != KeyContent.Set ? reply : reply.AsSpan().SequenceEqual("1"u8) ? [] : null;

    static void Text(ExpectedKey expected, byte[]? value, List<StateDifference> found)
    {
        bool isGone = expected.Text is null ? IsNone(value) : value is null;
        if (isGone && !expected.MayHaveEnded) found.Add(Missing(expected, null, "no such key"));
        if (isGone || expected.Text is null || value.AsSpan().SequenceEqual(expected.Text)) return;
        found.Add(Different(expected, null, $"should be {Show(expected.Text)}, is {Show(value!)}"));
    }

    static void WholeHash(ExpectedKey expected, IReadOnlyList<byte[]?> items, List<StateDifference> found)
    {
        var fields = new Dictionary<byte[], byte[]>(KeyBytesComparer.Instance);
        for (int i = 0; i + 1 < items.Count; i += 2) fields[items[i]!] = items[i + 1]!;
        Parts(expected, [.. expected.Parts.Select(p => fields.GetValueOrDefault(p.Name))], found);
        foreach (var part in expected.Parts) fields.Remove(part.Name);
        foreach (var (field, value) in fields)
            found.Add(new StateDifference(DifferenceKind.Extra, expected.Key, field, $"field {Show(field)} is {Show(value)} and should not be there"));
    }

    static void Parts(ExpectedKey expected, IReadOnlyList<byte[]?> values, List<StateDifference> found)
    {
        bool isGone = values.All(v => v is null);
        // A key of one row ends as a whole; of one that several share, the others' writes may have begun it anew.
        if (expected.MayHaveEnded && (isGone || !expected.IsOwn)) values = [.. values.Select((v, i) => v ?? (expected.Parts[i].Rule == PartRule.Absent ? null : skipped))];
        else if (isGone && expected is { IsOwn: true } && expected.Parts.Any(p => p.Rule != PartRule.Absent))
        {
            found.Add(Missing(expected, null, "no such key"));
            return;
        }
        string noun = expected.Content switch { KeyContent.Hash => "field", KeyContent.Json => "path", _ => "member" };
        for (int i = 0; i < values.Count && i < expected.Parts.Count; i++)
        {
            var part = expected.Parts[i];
            byte[]? value = values[i];
            if (ReferenceEquals(value, skipped)) continue;
            string name = $"{noun} {Show(part.Name)}";
            if (part.Rule == PartRule.Absent)
            {
                if (value is not null) found.Add(new StateDifference(DifferenceKind.Extra, expected.Key, part.Name, $"{name} is {Show(value)} and should not be there"));
            }
            else if (value is null) found.Add(Missing(expected, part.Name, part.Rule == PartRule.Equal && part.Value.Length > 0 ? $"{name} should be {Show(part.Value)}, is not there" : $"{name} is not there"));
            else if (part.Rule != PartRule.Present && !Holds(expected.Content, part, value))
                found.Add(Different(expected, part.Name, $"{name} should be {Show(part.Value)}, is {Show(value)}"));
        }
    }

    static readonly byte[] skipped = [0];

    static bool Holds(KeyContent content, ExpectedPart part, byte[] value) => content switch
    {
        KeyContent.SortedSet => Number(part.Value).Equals(Number(value)),
        KeyContent.Places => AreNear(part.Value, value),
        KeyContent.Json => JsonValues.Holds(value, part.Name, part.Value, part.Rule == PartRule.Merged),
        KeyContent.Set => true,
        _ => part.Value.AsSpan().SequenceEqual(value),
    };

    static bool AreNear(byte[] expected, byte[] found)
    {
        double[] a = [.. Encoding.ASCII.GetString(expected).Split(' ').Select(t => Number(Encoding.ASCII.GetBytes(t)))];
        double[] b = [.. Encoding.ASCII.GetString(found).Split(' ').Select(t => Number(Encoding.ASCII.GetBytes(t)))];
        return a.Length == 2 && b.Length == 2 && Math.Abs(a[0] - b[0]) <= PlaceSlack && Math.Abs(a[1] - b[1]) <= PlaceSlack;
    }

    /// <summary>As Redis reads a score (Redis docs, ZADD): also inf and infinity in any case.</summary>
    static double Number(byte[] text)
    {
        string number = Encoding.UTF8.GetString(text).ToLowerInvariant();
        return number.TrimStart('+') switch
        {
            "inf" or "infinity" => double.PositiveInfinity,
            "-inf" or "-infinity" => double.NegativeInfinity,
            _ => double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : double.NaN,
        };
    }

    static void Life(ExpectedKey expected, byte[]? reply, List<StateDifference> found)
    {
        // PTTL (Redis docs): -2 without a key, -1 without an end.
        if (reply is null || !long.TryParse(reply, CultureInfo.InvariantCulture, out long ms) || ms == -2) return;
        if (ms == -1) found.Add(Different(expected, null, "should have an end of life, lives for ever"));
        else if (ms > expected.LifeMs + LifeSlackMs) found.Add(Different(expected, null, $"should live {expected.LifeMs} ms at most, lives {ms} ms"));
    }

    static StateDifference Missing(ExpectedKey expected, byte[]? part, string what) => new(DifferenceKind.Missing, expected.Key, part, what);

    static StateDifference Different(ExpectedKey expected, byte[]? part, string what) => new(DifferenceKind.Different, expected.Key, part, what);

    static string Show(ReadOnlySpan<byte> value) => CommandText.Value(value, 48);
}

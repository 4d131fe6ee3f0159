using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using Sync.Engine.Batching;
using Sync.Engine.Retry;

namespace Sync.Engine.DeadLetters;

/// <summary>What to look at in Redis: the type of a key (TYPE), its text (GET), or the text of a field (HGET).</summary>
public enum ProbeKind { Type, Text, Field }

/// <param name="Kind">What to ask.</param>
/// <param name="Key">The key.</param>
/// <param name="Field">The field of a hash, for <see cref="ProbeKind.Field"/>; else empty.</param>
public readonly record struct Probe(ProbeKind Kind, byte[] Key, byte[] Field);

/// <param name="Text">The type, the text or null.</param>
/// <param name="IsRefused">Redis answered with an error, so the key is of another type.</param>
public readonly record struct ProbeAnswer(string? Text, bool IsRefused);

/// <summary>
/// Finds out afterwards which commands of a flight Redis refused while it ran them, when the flight is applied but its replies were lost. It rests on this: a
/// command that is refused changes nothing, and nobody else writes these keys, so what made Redis refuse it is still there, unless a later command of
/// the same flight replaced the key, and then what was refused would be gone by now as well. A key of another type and a text that is no number
/// are found; an overflow or an argument that Redis does not take is not.
/// </summary>
public sealed class RefusalProbe
{
    const string Integer = "integer", Number = "number", IntegerField = "integer field", NumberField = "number field";

    /// <summary>What a command needs to find under its first argument, if anything is there. Others replace what they write, or can't fail.</summary>
    static readonly FrozenDictionary<string, string> Needs = Table(
        ("hash", "HSET HMSET HSETNX HDEL"), (IntegerField, "HINCRBY"), (NumberField, "HINCRBYFLOAT"),
        ("list", "LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LREM LTRIM LINSERT LSET"), ("set", "SADD SREM SPOP"),
        ("zset", "ZADD ZINCRBY ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX ZPOPMIN ZPOPMAX GEOADD"), ("stream", "XADD XDEL XTRIM"),
        (Integer, "INCR INCRBY DECR DECRBY"), (Number, "INCRBYFLOAT"), ("string", "APPEND SETRANGE SETBIT BITFIELD GETSET GETDEL PFADD"));

    static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> NeedOf = Needs.GetAlternateLookup<ReadOnlySpan<char>>();

    readonly List<Probe> probes = [];
    readonly List<(int Probe, string Need, int Batch, int Entry, int Command)> suspects = [];

    /// <param name="flight">The batches as they were sent.</param>
    public RefusalProbe(IReadOnlyList<Batch> flight)
    {
        var byKey = new Dictionary<byte[], List<int>>(KeyBytesComparer.Instance);
        var known = new Dictionary<(ProbeKind, string), int>();
        for (int batch = 0; batch < flight.Count; batch++)
            for (int entry = 0; entry < flight[batch].Count; entry++) Read(flight[batch], batch, entry, byKey, known);
        suspects.RemoveAll(s => s.Probe < 0);
    }

    /// <summary>What to ask, in this order.</summary>
    public IReadOnlyList<Probe> Probes => probes;

    /// <summary>The commands that were refused.</summary>
    /// <param name="answers">One for each of <see cref="Probes"/>.</param>
    public List<CommandFailure> Judge(IReadOnlyList<ProbeAnswer> answers) =>
    [
        .. from s in suspects
           let error = Error(s.Need, answers[s.Probe])
           where error is not null
           select new CommandFailure(s.Batch, s.Entry, s.Command, error, FailureClass.Poison),
    ];

    static string? Error(string need, ProbeAnswer answer)
    {
        const string wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";
        if (answer.IsRefused) return wrongType;
        if (answer.Text is not { } text) return null;
        switch (need)
        {
            case Integer or IntegerField:
                return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _) ? null : "ERR value is not an integer or out of range";
            case Number or NumberField:
                return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? null : "ERR value is not a valid float";
            default:
                return text == "none" || text == need ? null : wrongType;
        }
    }

    void Read(Batch batch, int batchIndex, int entryIndex, Dictionary<byte[], List<int>> byKey, Dictionary<(ProbeKind, string), int> known)
    {
        var reader = new CommandReader(batch.CommandsOf(batch.Entries[entryIndex]));
        var lookup = byKey.GetAlternateLookup<ReadOnlySpan<byte>>();
        Span<char> name = stackalloc char[32];
        for (int command = 0; reader.TryReadCommand(out int arguments); command++)
        {
            var word = reader.ReadArgument();
            string? need = null;
            if (arguments > 1 && word.Length <= name.Length)
            {
                Encoding.Latin1.GetChars(word, name);
                NeedOf.TryGetValue(name[..word.Length], out need);
            }
            for (int i = 1; i < arguments; i++)
            {
                var argument = reader.ReadArgument();
                if (need is null)
                {
                    // Whatever else it is, it may have replaced any key it names: what was refused there before is moot.
                    if (lookup.TryGetValue(argument, out var before))
                    {
                        foreach (int suspect in before) suspects[suspect] = suspects[suspect] with { Probe = -1 };
                        lookup.Remove(argument);
                    }
                }
                else if (i == 1)
                {
                    byte[] key = argument.ToArray(), field = [];
                    if (need is IntegerField or NumberField && arguments > 2)
                    {
                        field = reader.ReadArgument().ToArray();
                        i++;
                    }
                    if (!lookup.TryGetValue(key, out var before)) byKey[key] = before = [];
                    before.Add(suspects.Count);
                    suspects.Add((ProbeFor(need, key, field, known), need, batchIndex, entryIndex, command));
                }
            }
        }
    }

    int ProbeFor(string need, byte[] key, byte[] field, Dictionary<(ProbeKind, string), int> known)
    {
        var kind = need switch
        {
            Integer or Number => ProbeKind.Text,
            IntegerField or NumberField => ProbeKind.Field,
            _ => ProbeKind.Type,
        };
        string name = $"{key.Length}:{Encoding.Latin1.GetString(key)}{Encoding.Latin1.GetString(field)}";
        if (known.TryGetValue((kind, name), out int index)) return index;
        probes.Add(new Probe(kind, key, field));
        return known[(kind, name)] = probes.Count - 1;
    }

    static FrozenDictionary<string, string> Table(params (string Need, string Commands)[] rows) =>
        rows.SelectMany(r => r.Commands.Split(' ').Select(c => (Command: c, r.Need))).ToFrozenDictionary(p => p.Command, p => p.Need, StringComparer.OrdinalIgnoreCase);
}

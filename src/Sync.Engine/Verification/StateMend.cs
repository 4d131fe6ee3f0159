using System.Text;

namespace Sync.Engine.Verification;

/// <summary>
/// The commands that give a key what a row says, from what was found to differ: they put and remove only what the row alone decides, so that
/// what is counted in the same key, or written there for other rows, stays. Pure.
/// </summary>
public static class StateMend
{
    /// <summary>The commands, each as its arguments. None when nothing can be done: a key that several rows share is of another type.</summary>
    /// <param name="expected">What the row says.</param>
    /// <param name="differences">What differs there, as <see cref="StateReads.Compare"/> found it.</param>
    public static IReadOnlyList<byte[][]> Commands(ExpectedKey expected, IReadOnlyList<StateDifference> differences)
    {
        var commands = new List<byte[][]>();
        if (differences.Count == 0) return commands;
        if (expected.Content == KeyContent.Nothing) return [Of("UNLINK", expected.Key)];
        if (expected.Content == KeyContent.Text) Text(expected, commands);
        else
        {
            if (differences[0].IsWrongType && !expected.IsOwn) return commands;
            if (differences[0].IsWrongType) commands.Add(Of("UNLINK", expected.Key));
            foreach (var difference in differences) Parts(expected, difference, commands);
        }
        if (expected.LifeMs > 0 && expected.Content != KeyContent.Text) commands.Add(Of("PEXPIRE", expected.Key, Number(expected.LifeMs)));
        return commands;
    }

    /// <summary>SET also replaces a key of another type (Redis docs, SET).</summary>
    static void Text(ExpectedKey expected, List<byte[][]> commands)
    {
        if (expected.Written is not { } value) return;
        if (expected.LifeMs > 0) commands.Add(Of("SET", expected.Key, value, "PX"u8.ToArray(), Number(expected.LifeMs)));
        else if (expected.MayHaveEnded) commands.Add(Of("SET", expected.Key, value, "KEEPTTL"u8.ToArray()));
        else commands.Add(Of("SET", expected.Key, value));
    }

    static void Parts(ExpectedKey expected, StateDifference difference, List<byte[][]> commands)
    {
        if (difference.Part is not { } name)
        {
            bool isLifeOnly = difference is { Kind: DifferenceKind.Different, IsWrongType: false } && expected.LifeMs > 0;
            if (isLifeOnly) return;
            foreach (var part in expected.Parts)
                if (part.Rule != PartRule.Absent) commands.Add(Put(expected, part));
            return;
        }
        if (difference.Kind == DifferenceKind.Extra)
        {
            if (Take(expected, name) is { } take) commands.Add(take);
            return;
        }
        foreach (var part in expected.Parts)
            if (part.Name.AsSpan().SequenceEqual(name)) commands.Add(Put(expected, part));
    }

    static byte[][] Put(ExpectedKey expected, ExpectedPart part)
    {
        byte[] key = expected.Key;
        switch (expected.Content)
        {
            case KeyContent.Hash: return Of("HSET", key, part.Name, part.Value);
            case KeyContent.Set: return Of("SADD", key, part.Name);
            case KeyContent.SortedSet: return Of("ZADD", key, part.Value, part.Name);
            case KeyContent.Places:
                int blank = part.Value.AsSpan().IndexOf((byte)' ');
                return Of("GEOADD", key, part.Value[..blank], part.Value[(blank + 1)..], part.Name);
            default: return Of(part.Rule == PartRule.Merged ? "JSON.MERGE" : "JSON.SET", key, part.Name, part.Value);
        }
    }

    static byte[][]? Take(ExpectedKey expected, byte[] part) => expected.Content switch
    {
        KeyContent.Hash => Of("HDEL", expected.Key, part),
        KeyContent.Set => Of("SREM", expected.Key, part),
        KeyContent.SortedSet or KeyContent.Places => Of("ZREM", expected.Key, part),
        _ => null,
    };

    static byte[] Number(long number) => Encoding.ASCII.GetBytes(number.ToString(System.Globalization.CultureInfo.InvariantCulture));

    static byte[][] Of(string command, params ReadOnlySpan<byte[]> arguments) => [Encoding.ASCII.GetBytes(command), .. arguments];
}

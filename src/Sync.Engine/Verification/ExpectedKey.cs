using Sync.Engine.DeadLetters;

namespace Sync.Engine.Verification;

/// <summary>What a key holds, as far as a row's commands say. Numbers are on the wire between nodes; never renumber.</summary>
public enum KeyContent
{
    /// <summary>Nothing was said yet.</summary>
    Unknown,
    /// <summary>A string.</summary>
    Text,
    Hash,
    Set,
    SortedSet,
    /// <summary>A sorted set that GEOADD fills.</summary>
    Places,
    /// <summary>A document of RedisJSON.</summary>
    Json,
    /// <summary>No key at all.</summary>
    Nothing,
}

/// <summary>What is known of a part of a key. Numbers are on the wire between nodes; never renumber.</summary>
public enum PartRule
{
    /// <summary>It is there and has this value; members of a set have none.</summary>
    Equal,
    /// <summary>It is there; what it holds depends on more than the row.</summary>
    Present,
    /// <summary>It is not there.</summary>
    Absent,
    /// <summary>A JSON merge patch that changes nothing any more (RFC 7386).</summary>
    Merged,
}

/// <param name="Name">Field, member, or JSON path.</param>
/// <param name="Value">Value, score, <c>longitude latitude</c>, or JSON.</param>
/// <param name="Rule">What has to hold.</param>
public readonly record struct ExpectedPart(byte[] Name, byte[] Value, PartRule Rule);

/// <summary>What one key must hold because of one row. Other rows may claim other parts of the same key.</summary>
public sealed class ExpectedKey(byte[] key)
{
    readonly List<ExpectedPart> parts = [];

    public byte[] Key => key;

    public KeyContent Content { get; internal set; }

    /// <summary>The string; null when only its being there is known.</summary>
    public byte[]? Text { get; private set; }

    /// <summary>The string that the row would write now; what stands there may be an earlier one when <see cref="Text"/> is null.</summary>
    public byte[]? Written { get; private set; }

    public IReadOnlyList<ExpectedPart> Parts => parts;

    /// <summary>Whether no other row writes this key.</summary>
    public bool IsOwn { get; internal set; }

    /// <summary>Whether a hash has these fields and no others.</summary>
    public bool IsWhole { get; internal set; }

    /// <summary>The longest it may live on, in milliseconds; 0 for ever or unknown.</summary>
    public long LifeMs { get; internal set; }

    /// <summary>Whether it may have come to the end of its life.</summary>
    public bool MayHaveEnded { get; internal set; }

    /// <param name="content">What it is.</param>
    /// <param name="written">The string that is written.</param>
    /// <param name="isVague">Whether another string may stand there as well.</param>
    internal void Become(KeyContent content, byte[]? written = null, bool isVague = false)
    {
        Content = content;
        Text = isVague ? null : written;
        Written = written;
        parts.Clear();
        LifeMs = 0;
        MayHaveEnded = false;
    }

    internal void Live(long ms)
    {
        LifeMs = Math.Max(0, ms);
        MayHaveEnded = true;
    }

    /// <summary>What was said of its life elsewhere.</summary>
    internal void Live(long ms, bool mayHaveEnded) => (LifeMs, MayHaveEnded) = (ms, mayHaveEnded);

    /// <summary>Asks for it to be there: that it may have come to the end of its life is no excuse.</summary>
    internal void Insist() => MayHaveEnded = false;

    internal void Put(byte[] name, byte[] value, PartRule rule)
    {
        Forget(name);
        parts.Add(new ExpectedPart(name, value, rule));
    }

    internal void Forget(byte[] name) => parts.RemoveAll(p => KeyBytesComparer.Instance.Equals(p.Name, name));

    /// <summary>Whether the row puts this part there; without a part, the key.</summary>
    public bool Claims(ReadOnlySpan<byte> part, bool isPart)
    {
        if (Content == KeyContent.Nothing) return false;
        if (!isPart) return Content != KeyContent.Unknown;
        foreach (var own in parts)
            if (own.Rule != PartRule.Absent && part.SequenceEqual(own.Name)) return true;
        return false;
    }
}

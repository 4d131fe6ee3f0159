using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

public enum MapOutcome
{
    /// <summary>There is something to write.</summary>
    Mapped,
    /// <summary>The table or its conditions ask for nothing.</summary>
    Nothing,
    /// <summary>An unchanged TOASTed value is needed: read the row again and map once more with the values filled in.</summary>
    NeedsReread,
    /// <summary>It can't be expressed as commands; <see cref="MappedChange.Error"/> says why.</summary>
    Poison,
}

/// <summary>
/// What a row became: one change set, or two when it moved to another key (the end of the old key, then the begin of the
/// new one). Filled by the table plan again and again; one per reader, not thread-safe.
/// </summary>
public sealed class MappedChange
{
    readonly Part[] parts = new Part[2];
    readonly string?[] identities = new string?[2];
    StableHash.Seed keySeed;

    /// <summary>The commands of all parts.</summary>
    public RespWriter Commands { get; } = new(16 * 1024);

    internal RespWriter Keys { get; } = new(1024);

    /// <summary>Space for values that have to be rendered before their length is known.</summary>
    internal RespWriter Scratch { get; } = new(4096);

    /// <summary>1 or 2 after <see cref="MapOutcome.Mapped"/>; the first of two may hold no command.</summary>
    public int Parts { get; private set; }

    /// <summary>Why the row is poison.</summary>
    public string Error { get; internal set; } = "";

    /// <summary>
    /// Commands left out because an <c>{old:column}</c> in their key was NULL or not sent by PostgreSQL, and differences taken from 0 because the old
    /// value was not sent.
    /// </summary>
    public int MissingOldValues { get; internal set; }

    /// <summary>
    /// Whether the ordering key from before the change is not known, because the table's own <c>key:</c> names a column that PostgreSQL does
    /// not send: everything read before has to be applied first.
    /// </summary>
    public bool IsOrderUnknown { get; internal set; }

    public int CommandCount(int part) => parts[part].Commands;

    public ReadOnlySpan<byte> CommandBytes(int part) => Commands.Slice(parts[part].Offset, parts[part].Length);

    /// <summary>The row's primary key, as people read it, when the commands of a part are so large that Redis may not take them; else null.</summary>
    public string? Identity(int part) => identities[part];

    /// <summary>The ordering key of a part: changes with the same key are never reordered.</summary>
    public ReadOnlySpan<byte> Key(int part) => Keys.Slice(parts[part].KeyOffset, parts[part].KeyLength);

    /// <summary><see cref="StableHash"/> of <see cref="Key"/>.</summary>
    public ulong KeyHash(int part) => StableHash.Of(keySeed, Key(part));

    /// <param name="beginning">What all ordering keys of the table begin with.</param>
    internal void Clear(StableHash.Seed beginning)
    {
        keySeed = beginning;
        Commands.ClearAndShrink(1 << 20);
        Scratch.ClearAndShrink(1 << 20);
        Keys.Clear();
        Parts = 0;
        MissingOldValues = 0;
        IsOrderUnknown = false;
        Error = "";
    }

    internal void Close(int fromOffset, int commands, int keyOffset, string? identity = null)
    {
        identities[Parts] = identity;
        parts[Parts++] = new Part(fromOffset, Commands.Length - fromOffset, commands, keyOffset, Keys.Length - keyOffset);
    }

    readonly record struct Part(int Offset, int Length, int Commands, int KeyOffset, int KeyLength);
}

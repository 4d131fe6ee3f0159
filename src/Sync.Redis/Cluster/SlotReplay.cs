using Sync.Contracts;
using Sync.Engine.DeadLetters;
using Sync.Engine.Resp;

namespace Sync.Redis.Cluster;

/// <summary>
/// What the hash slots held when the progress was read: per slot and worker of that time the position reached. A change that comes again is compared with the
/// slots of its commands; what a slot has already is left out. Empty once the stream is past it. Immutable but for scratch memory; belongs to the reader.
/// </summary>
public sealed class SlotReplay
{
    readonly Dictionary<int, List<(int Workers, int Worker, Position Reached)>> slots;
    readonly HashSet<byte[]> parked;
    readonly int controlSlot;
    readonly RespWriter rest = new(256);

    /// <param name="slots">Positions by slot.</param>
    /// <param name="controlSlot">Where dead letters are.</param>
    /// <param name="truncated">The last TRUNCATE that was answered by removing keys.</param>
    /// <param name="parked">Ordering keys that had dead letters then.</param>
    public SlotReplay(Dictionary<int, List<(int Workers, int Worker, Position Reached)>> slots, int controlSlot, Position truncated, IEnumerable<byte[]> parked)
    {
        Truncated = truncated;
        this.slots = slots;
        this.controlSlot = controlSlot;
        this.parked = new HashSet<byte[]>(parked, KeyBytesComparer.Instance);
        foreach (var (_, _, reached) in slots.Values.SelectMany(p => p)) Highest = reached > Highest ? reached : Highest;
    }

    /// <summary>What was removed for a TRUNCATE up to here must not be removed again: rows behind it may have been written.</summary>
    public Position Truncated { get; }

    /// <summary>Beyond it nothing was written.</summary>
    public Position Highest { get; }

    /// <summary>Whether the slot has what this lane wrote up to a position.</summary>
    public bool Covers(int slot, int lane, Position position)
    {
        if (!slots.TryGetValue(slot, out var reached)) return false;
        foreach (var (workers, worker, at) in reached)
            if (lane % workers == worker && at >= position) return true;
        return false;
    }

    /// <summary>
    /// Whether the change went to the dead letters: those of its key were there, and the slot that holds them has what the lane wrote up to here. (What a slot of
    /// its own has is seen there.)
    /// </summary>
    public bool IsParked(ReadOnlySpan<byte> key, int lane, Position position) =>
        Covers(controlSlot, lane, position) && parked.GetAlternateLookup<ReadOnlySpan<byte>>().Contains(key);

    /// <summary>What is missing of a change's commands; valid until the next call.</summary>
    /// <param name="lane">The change's.</param>
    /// <param name="position">The change's.</param>
    /// <param name="commands">All of them.</param>
    /// <param name="count">How many are missing.</param>
    public ReadOnlySpan<byte> Rest(int lane, Position position, ReadOnlySpan<byte> commands, out int count)
    {
        rest.Clear();
        count = 0;
        foreach (var (slot, bytes, _) in SlotGroups.Commands(commands.ToArray()))
        {
            if (Covers(slot, lane, position)) continue;
            rest.Raw(bytes.Span);
            count++;
        }
        return rest.Written;
    }
}

using Sync.Contracts;
using Sync.Engine.DeadLetters;
using Sync.Engine.Resp;

namespace Sync.Redis.Cluster;

/// <summary>
/// What of the changes that come again was dealt with before. A command of a change was, if its hash slot has what the change's lane wrote up to there, if it waits in
/// the dead letters, or if it was retried from there. Built at start and never changed but for scratch memory; belongs to the reader.
/// </summary>
public sealed class SlotReplay
{
    readonly ClusterPositions held;
    readonly Dictionary<Position, List<byte[]>> parked = [];
    readonly RespWriter rest = new(256);

    /// <param name="held">What the slots hold.</param>
    /// <param name="letters">The dead letters of changes that may come again.</param>
    /// <param name="truncated">The last TRUNCATE that was answered by removing keys.</param>
    public SlotReplay(ClusterPositions held, IEnumerable<DeadLetter> letters, Position truncated)
    {
        this.held = held;
        Truncated = truncated;
        foreach (var letter in letters)
        {
            if (!parked.TryGetValue(letter.Position, out var commands)) parked[letter.Position] = commands = [];
            commands.AddRange(SlotGroups.Commands(letter.Commands).Select(c => c.Bytes.ToArray()));
        }
        var seen = held.Slots.Values.SelectMany(p => p).Select(p => p.Reached).Concat(held.Retried.Select(r => r.Position)).Concat(parked.Keys);
        foreach (var reached in seen) Highest = reached > Highest ? reached : Highest;
    }

    /// <summary>What was removed for a TRUNCATE up to here must not be removed again: rows behind it may have been written.</summary>
    public Position Truncated { get; }

    /// <summary>Beyond it nothing was dealt with.</summary>
    public Position Highest { get; }

    /// <summary>Whether the dead letters have the change, or part of it.</summary>
    public bool IsParked(Position position) => parked.ContainsKey(position);

    /// <summary>What is missing of a change's commands; valid until the next call.</summary>
    /// <param name="lane">The change's.</param>
    /// <param name="position">The change's.</param>
    /// <param name="commands">All of them.</param>
    /// <param name="count">How many are missing.</param>
    public ReadOnlySpan<byte> Rest(int lane, Position position, ReadOnlySpan<byte> commands, out int count)
    {
        rest.Clear();
        count = 0;
        var waiting = parked.TryGetValue(position, out var letters) ? letters.ToList() : [];
        foreach (var (slot, bytes, _) in SlotGroups.Commands(commands.ToArray()))
        {
            int letter = waiting.FindIndex(w => w.AsSpan().SequenceEqual(bytes.Span));
            if (letter >= 0) waiting.RemoveAt(letter);
            if (letter >= 0 || Covers(slot, lane, position) || held.Retried.Contains((slot, position))) continue;
            rest.Raw(bytes.Span);
            count++;
        }
        return rest.Written;
    }

    bool Covers(int slot, int lane, Position position)
    {
        if (!held.Slots.TryGetValue(slot, out var reached)) return false;
        foreach (var (workers, worker, at) in reached)
            if (lane % workers == worker && at >= position) return true;
        return false;
    }
}

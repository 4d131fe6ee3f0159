using Sync.Contracts;
using Sync.Engine.Progress;
using Sync.Redis.Lanes;
using Sync.Redis.Sink;

namespace Sync.Redis.Progress;

/// <summary>What is done with what Redis holds.</summary>
/// <param name="IsAbandoned">Whether it belongs to a history that PostgreSQL has left, and is discarded.</param>
/// <param name="ConfirmedAtMost">What was confirmed beyond this place is not in the log any more; <see cref="Lsn.None"/> when all of it is.</param>
public readonly record struct HistoryAnswer(bool IsAbandoned, Lsn ConfirmedAtMost)
{
    /// <summary>All of it is kept.</summary>
    public static readonly HistoryAnswer GoesOn;
}

/// <summary>A start: which log is followed from now on, and by whom.</summary>
/// <param name="Log">The log of the server.</param>
/// <param name="LogEnd">Where it ends.</param>
/// <param name="SlotBegin">Where the replication slot begins.</param>
public sealed record ProgressOpening(LogHistory Log, Lsn LogEnd, Lsn SlotBegin)
{
    /// <summary>Who writes from now on; null changes nothing about that.</summary>
    public OwnerFence? Owner { get; init; }

    /// <summary>The reader of a cluster; null for a single host.</summary>
    public LaneOpening? Lanes { get; init; }

    /// <summary>OID of the publication; 0 records none.</summary>
    public uint Publication { get; init; }

    /// <summary>Whether Redis is a Cluster, whose hash slots hold positions of their own.</summary>
    public bool IsSharded { get; init; }

    /// <summary>Says what is done with what Redis holds. May be asked several times, when somebody else writes meanwhile; may throw, which changes nothing.</summary>
    public required Func<HeldHistory, HistoryAnswer> Judge { get; init; }
}

/// <param name="Positions">The positions to resume from.</param>
/// <param name="IsAnew">Whether what was there was discarded.</param>
public sealed record ProgressBegun(LanePositions Positions, bool IsAnew)
{
    /// <summary>The reader from which on takeovers of lanes count; those that an earlier reader saw read positions that do not hold any more.</summary>
    public long Since { get; init; }

    /// <summary>Where dead letters of the abandoned history are kept for people to look at; null when there were none.</summary>
    public string? LettersAside { get; init; }

    /// <summary>How many these are.</summary>
    public long Letters { get; init; }
}

/// <summary>What is recorded of the log together with the confirmed position.</summary>
/// <param name="End">How far it is known to reach.</param>
/// <param name="Landmark">The last transaction that was applied; its place is <see cref="Lsn.None"/> to leave what is recorded.</param>
/// <param name="Publication">The name of the publication it came by.</param>
public readonly record struct LogMark(Lsn End, Landmark Landmark, string Publication);

using Sync.Contracts;

namespace Sync.Actors.Ports;

/// <param name="Claim">The number of this takeover, greater than that of every takeover before it.</param>
/// <param name="Position">How far the lane is in Redis; final, because whoever had the lane before can't write any more.</param>
/// <param name="ParkedKeys">The ordering keys of the lane that have dead letters.</param>
public sealed record LaneTakeover(long Claim, Position Position, IReadOnlyList<byte[]> ParkedKeys)
{
    /// <summary>
    /// The reader that has begun last, which knows what this Redis holds. What an earlier one has sent must not be taken: if Redis lost something since, it does not come
    /// again from that one, and the position of what follows would hide it.
    /// </summary>
    public long Epoch { get; init; }
}

/// <summary>Who owns a lane, kept in Redis.</summary>
public interface ILaneStore
{
    /// <summary>Takes a lane for this node; whoever had it before, another node or an earlier takeover of this one, is fenced off first.</summary>
    /// <exception cref="Exception">Redis can't be reached now, or something a user has to mend (<see cref="SyncException"/>).</exception>
    ValueTask<LaneTakeover> TakeAsync(int lane, CancellationToken cancellationToken);

    /// <summary>Gives a drained lane up, unless it was taken meanwhile.</summary>
    ValueTask GiveUpAsync(int lane, long claim, CancellationToken cancellationToken);
}

using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;

namespace Sync.Actors.Ports;

/// <summary>One flight of one lane.</summary>
/// <param name="Lane">Which lane.</param>
/// <param name="Claim">The takeover that accepted its rows.</param>
/// <param name="Flight">What to write.</param>
/// <param name="Parked">The lane's keys that have dead letters. Belongs to the writer until it has answered, and to the lane between two flights.</param>
public sealed record LaneWork(int Lane, long Claim, LaneFlight Flight, ParkedKeys Parked)
{
    /// <summary>The highest reader that the lane has taken rows of; 0 for none. They are only written to a Redis that this reader has begun with.</summary>
    public long Epoch { get; init; }
}

/// <summary>What became of a lane's flight.</summary>
public enum LaneOutcome
{
    /// <summary>Redis has it; what could not be written of it is parked.</summary>
    Home,
    /// <summary>The lane belongs to another takeover. Nothing was written; the lane's actor has to end.</summary>
    Lost,
}

/// <summary>
/// Writes flights on one Redis connection, several lanes in one transaction. Passing failures are retried inside, in order, with backoff; so an exception is a defect, or
/// something a user has to mend. One call at a time.
/// </summary>
public interface ILaneWriter : IAsyncDisposable
{
    /// <summary>Whether Redis has refused more often in a row than the retry policy allows for a closed circuit.</summary>
    bool IsCircuitOpen { get; }

    /// <param name="work">Flights of different lanes; one or more.</param>
    /// <param name="cancellationToken">Gives up, with an unknown outcome.</param>
    /// <returns>An outcome for each, in the same order.</returns>
    ValueTask<IReadOnlyList<LaneOutcome>> WriteAsync(IReadOnlyList<LaneWork> work, CancellationToken cancellationToken);

    /// <summary>Retries or drops the dead letters of one lane, between its flights.</summary>
    /// <param name="lane">Which lane; none of its flights is under way.</param>
    /// <param name="claim">The takeover that may write it.</param>
    /// <param name="order">What to do.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<DeadLetterOutcome> HandleDeadLettersAsync(int lane, long claim, DeadLetterOrder order, CancellationToken cancellationToken);
}

/// <param name="Key">The ordering key whose letters are meant; null for all of the lane.</param>
/// <param name="Drops">True drops them; false applies them in order.</param>
/// <param name="Id">With <paramref name="Drops"/>, the one letter that is meant; null for all of the key.</param>
/// <param name="Force">Applies letters that a later change has overtaken as well.</param>
public sealed record DeadLetterOrder(byte[]? Key, bool Drops, string? Id, bool Force);

/// <param name="Done">Letters applied or dropped.</param>
/// <param name="Failed">Letters that Redis refused again.</param>
/// <param name="FreedKeys">Ordering keys that have no letters any more.</param>
public sealed record DeadLetterOutcome(int Done, int Failed, IReadOnlyList<byte[]> FreedKeys);

/// <summary>Makes writers; a writer that crashed is replaced by a new one, whose predecessor's connection can write nothing from then on.</summary>
public interface ILaneWriterFactory
{
    /// <param name="index">From 0; the same index for the replacement of a writer.</param>
    ILaneWriter Create(int index);
}

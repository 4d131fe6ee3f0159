using Sync.Contracts;
using Sync.Engine.Retry;

namespace Sync.Engine.Batching;

/// <summary>
/// Where batches go. One flight is under way at a time; whoever calls waits for its result before the next.
/// </summary>
public interface IBatchSink
{
    /// <summary>
    /// Runs the commands of all batches in order as one transaction and, in the same transaction, records the position
    /// reached. The batches must not change until the call is over, however it ends.
    /// </summary>
    /// <param name="flight">One or more batches; together at least one command.</param>
    /// <param name="progressKey">The hash that records progress.</param>
    /// <param name="progressField">The field of the lane or worker in it.</param>
    /// <param name="reached">The position Redis holds afterwards; <see cref="Position.None"/> records nothing (snapshot batches).</param>
    /// <param name="cancellationToken">Cancelling leaves the outcome unknown and breaks the connection.</param>
    ValueTask<FlightResult> WriteAsync(
        IReadOnlyList<Batch> flight, ReadOnlyMemory<byte> progressKey, ReadOnlyMemory<byte> progressField, Position reached,
        CancellationToken cancellationToken);
}

public enum FlightOutcome
{
    /// <summary>All commands ran and the position is recorded. Single commands may have failed; their neighbours stand.</summary>
    Applied,
    /// <summary>Nothing ran: some commands were refused before the transaction began. Without them the rest can be sent again.</summary>
    Rejected,
    /// <summary>Nothing ran: a key under WATCH has changed, so somebody else owns what this flight writes.</summary>
    Fenced,
}

/// <summary>A command that failed.</summary>
/// <param name="Batch">Index of its batch in the flight.</param>
/// <param name="Entry">Index of its entry in the batch.</param>
/// <param name="Command">Index among the entry's commands.</param>
/// <param name="Error">The server's text, without values.</param>
/// <param name="Class">What it asks for.</param>
public readonly record struct CommandFailure(int Batch, int Entry, int Command, string Error, FailureClass Class);

/// <summary>What became of a flight.</summary>
/// <param name="Outcome">Whether it ran.</param>
/// <param name="Failures">The commands that failed, in the order they were sent.</param>
public sealed record FlightResult(FlightOutcome Outcome, IReadOnlyList<CommandFailure> Failures)
{
    /// <summary>Applied without any failure; shared, so that the common case allocates nothing.</summary>
    public static readonly FlightResult AllApplied = new(FlightOutcome.Applied, []);
}

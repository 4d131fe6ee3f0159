using Sync.Actors.Ports;

namespace Sync.Actors.Writing;

/// <summary>Lane to pool: work for the writer of a lane. The answer goes to the lane that sent it.</summary>
public interface IWriterWork
{
    /// <summary>Which lane; it tells the writer.</summary>
    int Lane { get; }
}

/// <summary>Writes a flight; answered with <see cref="FlightEnded"/>. A lane has one under way at most.</summary>
public sealed record WriteFlight(LaneWork Work) : IWriterWork
{
    public int Lane => Work.Lane;
}

/// <summary>Handles dead letters while no flight of the lane is under way; answered with <see cref="OrderEnded"/>.</summary>
public sealed record HandleDeadLetters(int Lane, long Claim, DeadLetterOrder Order) : IWriterWork;

/// <summary>What became of a flight.</summary>
/// <param name="Claim">The takeover whose flight it was; an answer to an earlier one is nothing to a lane.</param>
/// <param name="Outcome">Home, or the lane is lost.</param>
public sealed record FlightEnded(long Claim, LaneOutcome Outcome);

/// <summary>What became of an order.</summary>
/// <param name="Claim">As in <see cref="FlightEnded"/>.</param>
/// <param name="Outcome">What was done.</param>
public sealed record OrderEnded(long Claim, DeadLetterOutcome Outcome);

/// <summary>Pool to lanes: the writer has crashed, and nobody knows what became of what it had.</summary>
public sealed record WriterLost
{
    public static readonly WriterLost Instance = new();
}

/// <summary>Writer to pool, and pool to the lanes of the writer: Redis refuses for longer than normal, or takes commands again.</summary>
/// <param name="Writer">Which writer, from 0.</param>
/// <param name="IsOpen">Whether it refuses.</param>
public sealed record CircuitChanged(int Writer, bool IsOpen);

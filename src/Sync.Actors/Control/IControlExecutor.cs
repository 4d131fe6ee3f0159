using Sync.Contracts.Cluster;

namespace Sync.Actors.Control;

/// <summary>Something that was accepted.</summary>
/// <param name="Outcome">Its name, verb and argument.</param>
/// <param name="Decision">What was decided, if it is about dead letters.</param>
public sealed record ControlOrder(OperatorOutcome Outcome, DeadLetterDecision? Decision);

/// <param name="Succeeded">Whether it did what it should.</param>
/// <param name="Message">For people.</param>
/// <param name="Letters">What became of dead letters, if it was about them.</param>
public sealed record ControlResult(bool Succeeded, string Message, DeadLetterCount Letters = default);

/// <summary>Carries commands out.</summary>
public interface IControlExecutor
{
    /// <summary>The verbs it knows.</summary>
    IReadOnlySet<string> Verbs { get; }

    /// <summary>
    /// Carries an order out. The node may die right after the work and before its outcome is persisted; then the order comes again, under the same name, so doing it twice has to come to
    /// the same as doing it once.
    /// </summary>
    /// <param name="order">What to do.</param>
    /// <param name="stop">This node gives the work up; another one begins it anew.</param>
    Task<ControlResult> ExecuteAsync(ControlOrder order, CancellationToken stop);
}

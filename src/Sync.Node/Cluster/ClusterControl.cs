using System.Diagnostics;
using Akka.Actor;
using Sync.Actors.Control;
using Sync.Contracts;
using Sync.Contracts.Cluster;

namespace Sync.Node.Cluster;

/// <summary>
/// Gives commands to the control actor, wherever it runs. Each has a name of its own, under which it is asked for again while there is no answer: the actor may be moving, or its
/// journal be away. So a command is carried out once, whatever got lost. Thread-safe.
/// </summary>
/// <param name="control">The control actor, or its proxy.</param>
/// <param name="by">Who gives them, for people.</param>
sealed class ClusterControl(IActorRef control, string by)
{
    static readonly TimeSpan repeat = TimeSpan.FromSeconds(3), lookPatience = TimeSpan.FromSeconds(2), longestSilence = TimeSpan.FromSeconds(10);

    /// <summary>Has a command carried out.</summary>
    /// <param name="verb">See <see cref="ControlExecutor"/>.</param>
    /// <param name="argument">What it is for.</param>
    /// <param name="patience">How long its end is waited for.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>What became of it; null when nobody knows, because the control actor did not answer.</returns>
    public Task<OperatorOutcome?> RunAsync(string verb, string argument, TimeSpan patience, CancellationToken cancellationToken)
    {
        string name = Name();
        return AskAsync(name, new OperatorCommand(name, verb, argument, by), patience, cancellationToken);
    }

    /// <summary>Has a decision about dead letters carried out.</summary>
    /// <param name="lane">The key's lane; 0 without a key.</param>
    /// <param name="key">The ordering key; empty for all.</param>
    /// <param name="action">What is to be done.</param>
    /// <param name="force">For a retry: letters that were overtaken as well.</param>
    /// <param name="ids">For a drop: which letters; empty for all.</param>
    /// <param name="patience">How long its end is waited for.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="SyncException">It was refused, did not succeed everywhere, or nobody knows what became of it.</exception>
    public async Task<DeadLetterCount> DecideAsync(
        int lane, byte[] key, DeadLetterAction action, bool force, IReadOnlyList<string> ids, TimeSpan patience, CancellationToken cancellationToken)
    {
        string name = Name();
        var outcome = await AskAsync(name, new DeadLetterDecision(name, lane, key, action, force, ids, by, 0), patience, cancellationToken)
            ?? throw new SyncException(ExitCode.CheckFailed,
                "The control actor of the cluster did not answer, so nothing is known to be done: see that PostgreSQL and its schema actorsync can be reached, then ask again.");
        return outcome switch
        {
            // Keys that Redis refused again are counted, as a single node does.
            { Stage: OperatorStage.Done } or { Stage: OperatorStage.Failed, Letters: { Left: > 0, Silent: 0 } } => outcome.Letters,
            { Stage: OperatorStage.UnderWay } => throw new SyncException(ExitCode.CheckFailed,
                $"The order was accepted and goes on after {patience.TotalSeconds:0} s; actorsync cluster status shows how it ends."),
            _ => throw new SyncException(ExitCode.CheckFailed, outcome.Message),
        };
    }

    /// <summary>The commands it knows, the earliest first; null when it does not answer.</summary>
    public async Task<IReadOnlyList<OperatorOutcome>?> ListAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (await control.Ask<OperatorOutcomes>(new OperatorOutcomesRequest(Name()), lookPatience, cancellationToken)).Outcomes;
        }
        catch (AskTimeoutException)
        {
            return null;
        }
    }

    async Task<OperatorOutcome?> AskAsync(string name, object command, TimeSpan patience, CancellationToken cancellationToken)
    {
        long begin = Stopwatch.GetTimestamp(), heard = begin;
        OperatorOutcome? known = null;
        while (Stopwatch.GetElapsedTime(begin) < patience && Stopwatch.GetElapsedTime(heard) < longestSilence)
        {
            try
            {
                return await control.Ask<OperatorOutcome>(command, repeat, cancellationToken);
            }
            catch (AskTimeoutException)
            {
                // Under way, or nobody is there; then again, under the same name.
                if (await ListAsync(cancellationToken) is not { } all) continue;
                heard = Stopwatch.GetTimestamp();
                known = all.FirstOrDefault(one => one.Id == name);
            }
        }
        return known;
    }

    static string Name() => Guid.NewGuid().ToString("N");
}

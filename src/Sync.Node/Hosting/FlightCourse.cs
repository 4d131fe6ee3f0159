using System.Runtime.CompilerServices;
using System.Text;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Ordering;
using Sync.Redis.Errors;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>Where flights of one origin, a worker or a lane, record what became of them: fields of the progress hash.</summary>
/// <param name="Progress">The position.</param>
/// <param name="Copy">The last flight of a copy.</param>
/// <param name="Parked">The last flight whose refused changes were parked.</param>
sealed record FlightFields(byte[] Progress, byte[] Copy, byte[] Parked)
{
    /// <param name="progress">Its name.</param>
    /// <param name="origin">What the names of the others end in.</param>
    public static FlightFields Of(string progress, string origin) => new(Encoding.UTF8.GetBytes(progress), Encoding.UTF8.GetBytes($"copy:{origin}"), Encoding.UTF8.GetBytes($"parked:{origin}"));
}

/// <summary>
/// Brings the flights of one origin home, one after the other: does all that <see cref="Flight"/> asks for but sending, which the writer does, alone or with flights of others.
/// </summary>
/// <param name="index">Of the writer, for the log.</param>
/// <param name="context">Where to.</param>
/// <param name="parked">The keys of the origin that have dead letters.</param>
/// <param name="fields">Where it records what became of them.</param>
/// <param name="hasPredecessor">Whether another course, of which nobody knows how it ended, may have tried to bring the first flight home.</param>
sealed class FlightCourse(int index, WriterContext context, ParkedKeys parked, FlightFields fields, bool hasPredecessor = false)
{
    bool isInherited = hasPredecessor, hasAsked;
    RedisLimits told = RedisLimits.Default;

    public Flight Flight { get; } = new(context.Filter, parked, context.RecordsPositions, new Position(new Lsn((ulong)context.Time.GetUtcNow().UtcTicks), 0));

    /// <summary>Where the flight records <see cref="Flight.Reached"/>.</summary>
    public byte[] Field => Flight.IsCopy ? fields.Copy : fields.Progress;

    /// <summary>Begins a flight; the one before is home.</summary>
    public void Begin(IEnumerable<Batch> batches)
    {
        Flight.Begin(batches);
        hasAsked = false;
        if (isInherited) Flight.Failed(outcomeUnknown: true);
    }

    /// <summary>Goes on, from where the last attempt was cut off, until the flight has to be sent or is home. True when it has to be sent.</summary>
    /// <exception cref="RedisFencedException">Another owner took over; nothing was applied.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> HasToBeSentAsync(SinkSession session, CancellationToken cancellationToken)
    {
        told = session.Limits;
        Flight.Limits = context.Limits.Of(told);
        while (true)
        {
            switch (Flight.Next(context.Time.GetUtcNow()))
            {
                case FlightStep.Send:
                    if (hasAsked || !Flight.IsLarge) return true;
                    // Before a row is parked for its size: the limit may have been raised meanwhile.
                    hasAsked = true;
                    if (!await session.RefreshLimitsAsync(cancellationToken)) return true;
                    told = session.Limits;
                    Flight.Limits = context.Limits.Of(told);
                    Flight.Reconsider();
                    break;
                case FlightStep.AskApplied:
                    Flight.Recorded(await context.Progress.ReadFieldAsync(session.Connection, Field, cancellationToken));
                    break;
                case FlightStep.FindRefused:
                    await FindRefusedAsync(session, cancellationToken);
                    break;
                case FlightStep.AskParked:
                    Flight.Answered(await HoldsAsync(session, fields.Parked, cancellationToken));
                    break;
                case FlightStep.Park:
                    // In a Cluster the flight went elsewhere, so nothing watches the owner's key here yet.
                    await session.GuardAsync(cancellationToken);
                    await context.DeadLetters.ParkAsync(session.Connection, Flight.Refused, (fields.Parked, Flight.Reached), cancellationToken);
                    Flight.Parked();
                    break;
                case FlightStep.Leave:
                    throw new RedisFencedException($"Another ActorSync took over what is written to Redis at {session.Connection.Endpoint}.");
                case FlightStep.Done:
                    isInherited = false;
                    return false;
            }
        }
    }

    /// <summary>What is sent: the batches with what parks their dead letters behind them.</summary>
    public IReadOnlyList<Batch> ToSend() => Flight.Held.Count == 0 ? Flight.Batches : [.. Flight.Batches, context.DeadLetters.ParkingBatch(Flight.Held)];

    /// <summary>Tells the flight what came of sending it.</summary>
    /// <exception cref="SyncException">Redis did not take a dead letter.</exception>
    public void Sent(FlightResult result, string endpoint)
    {
        if (result.Failures.Count > 0 && result.Failures[^1].Batch >= Flight.Batches.Count)
            throw new SyncException(ExitCode.RedisUnsuitable,
                $"Redis at {endpoint} refused to keep a dead letter ({result.Failures[^1].Error}); check the key '{context.Keys.DeadLetters}' and its permissions.");
        Flight.Written(result, context.Time.GetUtcNow());
    }

    /// <summary>What was tried failed for a reason that passes. When Redis closed the connection over something too large, it is not sent again.</summary>
    public void Failed(RedisTransientException error)
    {
        if (error.TooLargeBytes > 0) context.Limits.RefusedValue(told, error.TooLargeBytes);
        if (Flight.Failed(error.OutcomeUnknown, error.IsClosed) is > 0 and var bytes) context.Limits.RefusedChange(told, bytes);
    }

    /// <summary>Counts and logs what of the flight, which is home, was parked.</summary>
    /// <exception cref="SyncException">There are as many dead letters as are allowed.</exception>
    public void ReportParked()
    {
        if (Flight.ParkedCount == 0) return;
        Report(Flight.AllParked);
        context.EnsureDeadLettersFit();
    }

    async ValueTask FindRefusedAsync(SinkSession session, CancellationToken cancellationToken)
    {
        var failures = await LostReplies.FindAsync(session.Connection, Flight.Batches, cancellationToken);
        context.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "replies_lost"));
        context.Log.RepliesLost(index, Flight.Rows, failures.Count);
        Flight.Found(failures, context.Time.GetUtcNow());
        // What was refused may have been parked as well.
        if (isInherited && failures.Count > 0) Flight.Failed(outcomeUnknown: true);
    }

    /// <summary>Nobody but the origin's writer writes its fields, so the position of the last flight is there or it is not.</summary>
    async ValueTask<bool> HoldsAsync(SinkSession session, byte[] field, CancellationToken cancellationToken) =>
        await context.Progress.ReadFieldAsync(session.Connection, field, cancellationToken) == Flight.Reached;

    void Report(IEnumerable<DeadLetter> letters)
    {
        foreach (var letter in letters)
        {
            context.Stats.Parked(letter);
            context.Metrics.Parked.Add(1, new KeyValuePair<string, object?>("table", letter.Table));
            // A line for each change that only waits would drown the one that says why.
            if (letter.Attempts > 0) context.Log.Parked(letter.Table, letter.Position.ToString(), letter.Error);
        }
    }
}

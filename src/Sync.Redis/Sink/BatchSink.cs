using System.Runtime.CompilerServices;
using System.Text;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.Resp;
using Sync.Engine.Retry;
using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Redis.Sink;

/// <param name="Field">A field of the progress hash.</param>
/// <param name="Reached">The position it records.</param>
public readonly record struct ProgressMark(ReadOnlyMemory<byte> Field, Position Reached);

/// <summary>
/// Writes flights of batches on one connection: MULTI, the batches' bytes as they are, the position, EXEC, all in one go.
/// Data and position stand or fall together, so after a crash of either side the recorded position says exactly what Redis
/// holds. Every reply is inspected. A flight without failures allocates nothing per row. Not thread-safe.
/// </summary>
/// <param name="connection">The connection, which the sink shares with whoever owns it.</param>
/// <param name="fence">When set, flights are refused once another owner took over, and each leaves the connection watching for that.</param>
public sealed class BatchSink(RespConnection connection, OwnerFence? fence = null) : IBatchSink
{
    static readonly byte[] Multi = "*1\r\n$5\r\nMULTI\r\n"u8.ToArray();
    static readonly byte[] Exec = "*1\r\n$4\r\nEXEC\r\n"u8.ToArray();

    readonly List<ArraySegment<byte>> request = [];
    readonly RespWriter tail = new(256);
    readonly FlightReplies replies = new();
    readonly List<ProgressMark> single = [];
    OwnerFence? fence = fence;
    byte[] token = fence is null ? [] : Encoding.UTF8.GetBytes(fence.Token);

    /// <summary>Whether the connection watches the owner's key and saw our token there since. Without a fence it doesn't matter.</summary>
    public bool IsGuarded { get; set; }

    /// <summary>Another token is ours from now on: the connection watches its key and has just read it.</summary>
    public void Guard(OwnerFence seen)
    {
        fence = seen;
        token = Encoding.UTF8.GetBytes(seen.Token);
        IsGuarded = true;
    }

    /// <inheritdoc/>
    /// <exception cref="RedisTransientException">Nothing was applied, or nobody knows (<see cref="RedisTransientException.OutcomeUnknown"/>): then the
    /// connection is broken and has to be replaced through <see cref="SinkSession"/>.</exception>
    /// <exception cref="SyncException">Redis denies what is needed; nothing was applied.</exception>
    public ValueTask<FlightResult> WriteAsync(
        IReadOnlyList<Batch> flight, ReadOnlyMemory<byte> progressKey, ReadOnlyMemory<byte> progressField, Position reached,
        CancellationToken cancellationToken)
    {
        single.Clear();
        if (reached != Position.None) single.Add(new ProgressMark(progressField, reached));
        return WriteAsync(flight, progressKey, single, cancellationToken);
    }

    /// <summary>The same with several fields of the progress hash, or none.</summary>
    /// <inheritdoc cref="WriteAsync(IReadOnlyList{Batch}, ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, Position, CancellationToken)"/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<FlightResult> WriteAsync(
        IReadOnlyList<Batch> flight, ReadOnlyMemory<byte> progressKey, IReadOnlyList<ProgressMark> marks, CancellationToken cancellationToken)
    {
        int commands = Compose(flight, progressKey, marks);
        int dataCommands = commands - (marks.Count == 0 ? 0 : 1);
        if (dataCommands == 0) throw new ArgumentException("A flight needs at least one command.", nameof(flight));
        if (fence is not null && !IsGuarded) throw new InvalidOperationException("The connection does not watch the owner's key.");
        replies.Begin(commands, renewed: fence is not null);
        IsGuarded = false;
        try
        {
            await connection.ExchangeAsync(request, replies, cancellationToken);
        }
        catch (RedisTransientException lost) when (replies.LastWords is { } said)
        {
            throw RedisErrors.IsProtocolError(said) ? TooLarge(flight, said, lost) : RedisErrors.ToException(said, connection.Endpoint, connection.User);
        }
        finally
        {
            request.Clear();
        }
        IsGuarded = replies.Owner.SequenceEqual(token);
        if (replies.WasFenced) return new FlightResult(FlightOutcome.Fenced, []);
        if (replies.ExecError is { } refusal && RedisErrors.IsProtocolError(refusal)) throw TooLarge(flight, refusal, null);
        if (replies.ExecError is { } error) return Rejection(flight, error, dataCommands);
        return replies.Failures.Count == 0 ? FlightResult.AllApplied : new FlightResult(FlightOutcome.Applied, Failures(flight, dataCommands));
    }

    /// <summary>Redis does not say which value was too large, but the largest one was in any case.</summary>
    RedisTransientException TooLarge(IReadOnlyList<Batch> flight, string said, RedisTransientException? lost) =>
        connection.TooLarge(said, flight.Max(batch => RedisLimits.Largest(batch.Body.Written).Bytes), lost);

    int Compose(IReadOnlyList<Batch> flight, ReadOnlyMemory<byte> progressKey, IReadOnlyList<ProgressMark> marks)
    {
        request.Clear();
        request.Add(Multi);
        int commands = 0;
        for (int i = 0; i < flight.Count; i++)
        {
            request.Add(RespConnection.Segment(flight[i].Body.WrittenMemory));
            commands += flight[i].Commands;
        }
        tail.Clear();
        if (marks.Count > 0)
        {
            tail.ArrayHeader(2 + 2 * marks.Count);
            tail.Bulk("HSET"u8);
            tail.Bulk(progressKey.Span);
            Span<byte> text = stackalloc byte[Position.TextLength];
            for (int i = 0; i < marks.Count; i++)
            {
                tail.Bulk(marks[i].Field.Span);
                marks[i].Reached.Format(text);
                tail.Bulk(text);
            }
            commands++;
        }
        tail.Raw(Exec);
        if (fence is not null) tail.Raw(fence.Renewal);
        request.Add(RespConnection.Segment(tail.WrittenMemory));
        return commands;
    }

    /// <summary>
    /// Nothing ran. The worst reason decides: what passes by itself is waited for before anything is parked, and what nobody but an
    /// administrator can change stops everything. The reason stands at a command, or in EXEC's own error.
    /// </summary>
    FlightResult Rejection(IReadOnlyList<Batch> flight, string execError, int dataCommands)
    {
        string? transient = null;
        string? fatal = null;
        foreach (var (_, text) in replies.Failures) Sort(text);
        if (replies.Failures.Count == 0)
        {
            Sort(execError);
            // EXEC was refused for a reason of its own that is tied to no command; it was not run, so it can be repeated.
            transient ??= execError;
        }
        if (fatal is not null) throw RedisErrors.ToException(fatal, connection.Endpoint, connection.User);
        if (transient is not null)
            throw RedisErrors.Transient(transient, connection.Endpoint);
        return new FlightResult(FlightOutcome.Rejected, Failures(flight, dataCommands));

        void Sort(string text)
        {
            var kind = RedisErrors.Classify(text);
            if (kind == FailureClass.Fatal) fatal ??= text;
            if (kind == FailureClass.Transient) transient ??= text;
        }
    }

    /// <summary>Matches failures, which come in the order sent, to batch, entry and command in one walk.</summary>
    List<CommandFailure> Failures(IReadOnlyList<Batch> flight, int dataCommands)
    {
        var failures = new List<CommandFailure>(replies.Failures.Count);
        int batch = 0;
        int entry = 0;
        int first = 0;
        foreach (var (command, error) in replies.Failures)
        {
            if (command >= dataCommands) throw ProgressRefused(error);
            while (true)
            {
                if (entry == flight[batch].Count)
                {
                    batch++;
                    entry = 0;
                    continue;
                }
                int count = flight[batch].Entries[entry].Commands;
                if (command < first + count) break;
                first += count;
                entry++;
            }
            failures.Add(new CommandFailure(batch, entry, command - first, RedisErrors.Cause(error), RedisErrors.Classify(error)));
        }
        return failures;
    }

    SyncException ProgressRefused(string error) => new(ExitCode.RedisUnsuitable,
        $"Redis at {connection.Endpoint} can't record the progress ({RedisErrors.Cause(error)}); the key of the progress hash is in use for something else.");
}

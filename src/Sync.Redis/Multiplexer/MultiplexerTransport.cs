using System.Globalization;
using System.Text;
using StackExchange.Redis;
using Sync.Contracts.Configuration;
using Sync.Engine.Resp;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Multiplexer;

/// <summary>
/// The same over StackExchange.Redis, with a multiplexer of our own that connects once. It has no WATCH, MULTI and EXEC for us, so these are not sent:
/// what they say is said with one script (<see cref="TransactionScript"/>), which runs as a whole or not at all. Time-outs count the whole
/// exchange, because nobody tells us of single bytes.
/// </summary>
sealed class MultiplexerTransport : IRespTransport
{
    /// <summary>How long a failed attempt to connect may take to end by itself.</summary>
    static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(500);

    readonly ConnectionMultiplexer multiplexer;
    readonly string endpoint;
    readonly TimeSpan timeout;
    readonly TimeProvider time;

    /// <summary>Whether we may not be allowed everything: the default user usually is.</summary>
    readonly bool isLimited;
    readonly WatchedKeys watched = new();
    readonly List<Step> steps = [];
    readonly List<Task<RedisResult>?> sent = [];
    readonly RespWriter reads = new(256);
    readonly RespWriter transaction = new(64 * 1024);
    readonly RespWriter answer = new(16 * 1024);
    IDatabase database;

    /// <summary>The history that this connection began with.</summary>
    string? replicationId;
    int busy;
    volatile bool broken;

    MultiplexerTransport(ConnectionMultiplexer multiplexer, string endpoint, bool isLimited, TimeSpan timeout, TimeProvider time)
    {
        this.isLimited = isLimited;
        this.multiplexer = multiplexer;
        this.endpoint = endpoint;
        this.timeout = timeout;
        this.time = time;
        // The handshake selects the one that is configured.
        database = multiplexer.GetDatabase(0);
        multiplexer.ConnectionFailed += (_, _) => broken = true;
    }

    public bool IsBroken => broken;

    /// <inheritdoc cref="RespConnection.ConnectAsync"/>
    public static async ValueTask<MultiplexerTransport> ConnectAsync(
        RedisConnectionOptions options, string endpoint, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var failure = new ConnectFailure();
        long begun = time.GetTimestamp();
        var translated = MultiplexerOptions.Of(options, timeout, failure);
        var connecting = ConnectionMultiplexer.ConnectAsync(translated);
        try
        {
            bool isLimited = translated.User is { Length: > 0 } and not "default";
            await Task.WhenAny(connecting, failure.Seen).WaitAsync(timeout, time, cancellationToken);
            // It knows best why, and says so in a moment, or goes on trying.
            if (!connecting.IsCompleted) await Task.WhenAny(connecting, Task.Delay(LastWords, time, cancellationToken));
            if (!connecting.IsCompleted) throw await failure.Seen;
            return new MultiplexerTransport(await connecting, endpoint, isLimited, timeout, time);
        }
        catch (Exception error)
        {
            _ = DisposeLateAsync(connecting);
            cancellationToken.ThrowIfCancellationRequested();
            var cause = failure.Seen.IsCompleted ? await failure.Seen : null;
            var failed = MultiplexerErrors.OfConnecting(error, cause, options, endpoint, time.GetElapsedTime(begun));
            if (failed is RedisTransientException && await Greeting.ReadAsync(options, time, cancellationToken) is { } said)
                failed = RedisErrors.ToException(said, endpoint, options.User);
            throw failed;
        }
    }

    public async ValueTask ExchangeAsync(List<ArraySegment<byte>> request, IReplyConsumer replies, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref busy, 1) != 0) throw new InvalidOperationException("A connection takes one exchange at a time.");
        try
        {
            if (broken) throw new RedisTransientException($"The connection to Redis at {endpoint} is closed.", outcomeUnknown: false);
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                await RunAsync(request, replies.WantsValues).WaitAsync(timeout, time, cancellationToken);
                if (!replies.Feed(answer.Written, out int used) || used < answer.Length)
                    throw new RespProtocolException("The replies do not match the commands that were sent.");
            }
            catch (Exception error)
            {
                broken = true;
                await CloseAsync();
                if (cancellationToken.IsCancellationRequested) throw new OperationCanceledException(cancellationToken);
                throw MultiplexerErrors.OfExchange(error, endpoint, timeout);
            }
        }
        finally
        {
            Volatile.Write(ref busy, 0);
        }
    }

    public async ValueTask DisposeAsync()
    {
        broken = true;
        await CloseAsync();
    }

    async Task RunAsync(List<ArraySegment<byte>> request, bool wantsValues)
    {
        steps.Clear();
        sent.Clear();
        answer.Clear();
        transaction.Clear();
        Request.Parse(request, steps, transaction);
        int read = 0;
        foreach (var step in steps)
        {
            // The script is told what was seen of the watched keys; it is rarely asked for in the same request.
            if (step.Kind == StepKind.Transaction)
                for (; read < sent.Count; read++) await NoteReadAsync(read);
            sent.Add(Send(step, wantsValues));
        }
        for (; read < sent.Count; read++) await NoteReadAsync(read);
        for (int i = 0; i < steps.Count; i++) await AnswerAsync(steps[i], sent[i], wantsValues);
    }

    /// <summary>Hands one step over. Steps arrive in the order in which they are handed over, as nobody else uses this multiplexer.</summary>
    Task<RedisResult>? Send(Step step, bool wantsValues)
    {
        switch (step.Kind)
        {
            case StepKind.Watch:
                watched.Watch(step.Arguments);
                return null;
            case StepKind.Unwatch:
                watched.Forget();
                return null;
            case StepKind.Transaction:
                reads.Clear();
                watched.WriteTo(reads);
                string history = watched.IsEmpty ? "" : replicationId ?? "";
                watched.Forget();
                return database.ScriptEvaluateAsync(
                    TransactionScript.Text, null,
                    [reads.WrittenMemory, transaction.WrittenMemory, wantsValues ? TransactionScript.Values : TransactionScript.Errors, isLimited ? TransactionScript.Check : "", history],
                    CommandFlags.NoScriptCache);
            default:
                return database.ExecuteAsync(Encoding.ASCII.GetString(step.Arguments[0]), [.. step.Arguments.Skip(1)]);
        }
    }

    async ValueTask NoteReadAsync(int index)
    {
        if (steps[index].Kind != StepKind.Command || !watched.IsRead(steps[index].Arguments)) return;
        try
        {
            watched.Saw(steps[index].Arguments, await sent[index]!);
        }
        catch (RedisServerException)
        {
            // Whoever sent it gets the error, and no transaction comes of it.
        }
    }

    async ValueTask AnswerAsync(Step step, Task<RedisResult>? pending, bool wantsValues)
    {
        if (pending is null)
        {
            RespAnswer.Ok(answer);
            return;
        }
        try
        {
            var result = await pending;
            if (step.Kind == StepKind.Transaction) RespAnswer.Transaction(answer, step.Commands, result, wantsValues);
            else RespAnswer.Value(answer, result);
            if (step.Kind == StepKind.Command) Learn(step.Arguments, result);
        }
        catch (RedisServerException error)
        {
            if (step.Kind == StepKind.Transaction) RespAnswer.Refused(answer, step.Commands, error.Message);
            else RespAnswer.Error(answer, error.Message);
        }
    }

    /// <summary>What the handshake finds out matters here as well.</summary>
    void Learn(byte[][] command, RedisResult result)
    {
        if (command.Length == 2 && command[0].AsSpan().SequenceEqual("SELECT"u8))
            database = multiplexer.GetDatabase(int.Parse(command[1], CultureInfo.InvariantCulture));
        else if (replicationId is null && command[0].AsSpan().SequenceEqual("INFO"u8))
            replicationId = RedisServerFacts.Parse((string?)result ?? "").ReplicationId;
    }

    static async Task DisposeLateAsync(Task<ConnectionMultiplexer> connecting)
    {
        try { await (await connecting).DisposeAsync(); }
        catch (Exception error) when (error is RedisException or ObjectDisposedException or IOException) { /* there is none */ }
    }

    async ValueTask CloseAsync()
    {
        try
        {
            await multiplexer.CloseAsync(allowCommandsToComplete: false);
            await multiplexer.DisposeAsync();
        }
        catch (Exception error) when (error is RedisException or ObjectDisposedException or IOException) { /* it is closed either way */ }
    }
}

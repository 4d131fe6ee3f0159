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

    public bool LogsIn => true;

    /// <inheritdoc cref="RespConnection.ConnectAsync"/>
    public static async ValueTask<MultiplexerTransport> ConnectAsync(
        RedisConnectionOptions options, string endpoint, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var connecting = ConnectionMultiplexer.ConnectAsync(MultiplexerOptions.Of(options, timeout));
        try
        {
            bool isLimited = options.User is { Length: > 0 } and not "default";
            return new MultiplexerTransport(await connecting.WaitAsync(timeout, time, cancellationToken), endpoint, isLimited, timeout, time);
        }
        catch (Exception error)
        {
            _ = connecting.ContinueWith(static late => late.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            cancellationToken.ThrowIfCancellationRequested();
            throw MultiplexerErrors.OfConnecting(error, endpoint, options.User, options.Tls is not null, timeout);
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
                watched.Forget();
                return database.ScriptEvaluateAsync(
                    TransactionScript.Text, null,
                    [reads.WrittenMemory, transaction.WrittenMemory, wantsValues ? TransactionScript.Values : TransactionScript.Errors, isLimited ? TransactionScript.Check : ""],
                    CommandFlags.NoScriptCache);
            default:
                return database.ExecuteAsync(System.Text.Encoding.ASCII.GetString(step.Arguments[0]), [.. step.Arguments.Skip(1)]);
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
            if (step.Kind == StepKind.Command && IsSelect(step.Arguments)) database = multiplexer.GetDatabase(int.Parse(step.Arguments[1], System.Globalization.CultureInfo.InvariantCulture));
        }
        catch (RedisServerException error)
        {
            if (step.Kind == StepKind.Transaction) RespAnswer.Refused(answer, step.Commands, error.Message);
            else RespAnswer.Error(answer, error.Message);
        }
    }

    static bool IsSelect(byte[][] command) => command.Length == 2 && command[0].AsSpan().SequenceEqual("SELECT"u8);

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

using System.Runtime.CompilerServices;
using Sync.Contracts;
using Sync.Engine.Retry;
using Sync.Redis.Errors;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// The Redis connection of one writer over all its lives: opened when it is needed, replaced when it is lost, the old one ended on the server's side first. What
/// is tried on it is repeated with backoff until it succeeds; many failures in a row open the circuit, which only shows. Belongs to one writer.
/// </summary>
/// <param name="name">Of the writer, for the log.</param>
/// <param name="context">Where to, how patiently.</param>
/// <param name="fence">What refuses our flights once we were replaced; null for none, or when the user of the link sees to it.</param>
/// <param name="history">The only history of Redis that will do; null when the user of the link looks at that.</param>
/// <param name="failed">Told of each failure that passes.</param>
sealed class RedisLink(string name, WriterContext context, OwnerFence? fence, string? history, Action<RedisTransientException> failed) : IAsyncDisposable
{
    /// <summary>Most reasons of one outage that are logged.</summary>
    const int mostReasons = 8;

    /// <summary>How long Redis may refuse before that shows: a connection that is replaced takes less.</summary>
    static readonly TimeSpan patience = TimeSpan.FromSeconds(1);

    readonly HashSet<string> told = [];
    SinkSession? session;
    long refusedSince;
    volatile bool circuitOpen, isRetired;

    /// <summary>Whether Redis has refused for longer than a second, or more often in a row than retryPolicy.maxRetries. Thread-safe.</summary>
    public bool IsCircuitOpen => circuitOpen || (Volatile.Read(ref refusedSince) is not 0 and var since && context.Time.GetElapsedTime(since) > patience);

    /// <summary>The connection that the next one replaces; null for none.</summary>
    RedisClientIdentity? Previous { get; set; }

    /// <summary>
    /// Takes the place of another link, whatever that one is doing: it opens no connection any more, and before ours sends anything, Redis reads nothing more of its last one.
    /// </summary>
    public void Replace(RedisLink other)
    {
        // In this order: the other one shows its connection before it looks whether it is retired.
        other.isRetired = true;
        Interlocked.MemoryBarrier();
        Previous = other.Previous;
    }

    /// <summary>Repeats until it succeeds. Only a fatal error or cancellation gets out.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WithRetryAsync(Func<SinkSession, CancellationToken, ValueTask> attempt, CancellationToken cancellationToken)
    {
        for (int failures = 0; ;)
        {
            try
            {
                session ??= await OpenAsync(cancellationToken);
                await attempt(session, cancellationToken);
                if (failures > 0) Recovered();
                return;
            }
            catch (RedisTransientException e)
            {
                failures++;
                failed(e);
                await ForgetBrokenSessionAsync(e);
                await BackOffAsync(failures, e, cancellationToken);
                if (e.IsReplica) await LeaveReplicaAsync();
            }
        }
    }

    void Recovered()
    {
        if (circuitOpen) context.Log.CircuitClosed(name);
        circuitOpen = false;
        Volatile.Write(ref refusedSince, 0);
        told.Clear();
    }

    async ValueTask<SinkSession> OpenAsync(CancellationToken cancellationToken)
    {
        var opened = await SinkSession.OpenAsync(context.Config.Redis, context.Config.WriteTimeout, context.Time, Previous, fence, cancellationToken);
        if (history is not null && opened.History != history)
        {
            await opened.DisposeAsync();
            throw new RedisFencedException("Redis was restarted, or another one takes the writes now; what it holds has to be read anew.");
        }
        Previous = opened.Identity;
        Interlocked.MemoryBarrier();
        if (!isRetired) return opened;
        await opened.DisposeAsync();
        throw new OperationCanceledException("Another writer has taken the place of this one.");
    }

    async ValueTask ForgetBrokenSessionAsync(RedisTransientException cause)
    {
        if (session is null || !(session.IsBroken || cause.OutcomeUnknown)) return;
        await session.DisposeAsync();
        session = null;
    }

    /// <summary>The connection is good, but what was a master is none any more: whoever takes the writes now is found by connecting anew.</summary>
    async ValueTask LeaveReplicaAsync()
    {
        if (session is not null) await session.DisposeAsync();
        session = null;
    }

    async ValueTask BackOffAsync(int failures, RedisTransientException cause, CancellationToken cancellationToken)
    {
        var policy = context.Config.RetryPolicy;
        if (session is null && policy.MaxConnectionRetries > 0 && failures > policy.MaxConnectionRetries)
            throw new SyncException(ExitCode.RedisUnreachable,
                $"{cause.Message} Gave up after {policy.MaxConnectionRetries} attempts (retryPolicy.maxConnectionRetries); start again when Redis is back, nothing is lost.", cause);
        context.Metrics.Retries.Add(1);
        context.Stats.Retried();
        var delay = Backoff.Delay(policy, failures, Random.Shared.NextDouble());
        if (failures == 1) Volatile.Write(ref refusedSince, context.Time.GetTimestamp());
        // What is wrong often shows only at the attempt to connect again.
        if ((told.Count < mostReasons && told.Add(cause.Message)) || failures == policy.MaxRetries + 1) context.Log.RedisRefused(name, cause.Message, delay);
        circuitOpen = failures > policy.MaxRetries;
        context.Stats.SetError(cause.Message);
        await Task.Delay(delay, context.Time, cancellationToken);
    }

    public ValueTask DisposeAsync() => session?.DisposeAsync() ?? ValueTask.CompletedTask;
}

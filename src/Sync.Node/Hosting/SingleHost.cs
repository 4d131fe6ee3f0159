using System.Threading.Channels;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Retry;
using Sync.Node.Resync;
using Sync.Redis.Errors;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// The embedded default: one process, no cluster. It owns the life of a node:
/// <list type="number">
/// <item>find the primary, check it, settle the publication and compile the tables;</item>
/// <item>take the slot's lease, or stand by until it falls to us;</item>
/// <item>take the right to write from whoever had it, read from Redis how far it is, and start the writers;</item>
/// <item>copy the tables that were not copied yet;</item>
/// <item>stream.</item>
/// </list>
/// When PostgreSQL is lost, what was read is written and all begins again at 1; the same when another node took over meanwhile, or when Redis
/// was restarted or emptied, but then what was read is dropped, because only Redis itself knows what it holds.
/// Fatal errors of any part end all of it with one <see cref="SyncException"/>.
/// </summary>
public sealed class SingleHost : INodeAdmin, IAsyncDisposable
{
    readonly SyncConfig config;
    readonly HostOptions options;
    readonly TimeProvider time;
    readonly HostLog log;
    readonly NodeStats stats;
    readonly StatusBoard board;
    readonly SyncMetrics metrics;
    readonly TableSet tables;
    readonly NodeParts parts;
    readonly WriterOutputFactory outputs;
    bool proven;
    int failures;

    public SingleHost(SyncConfig config, HostOptions options, ILogger logger, TimeProvider? time = null)
    {
        this.config = config;
        this.options = options;
        this.time = time ?? TimeProvider.System;
        log = new HostLog(logger);
        stats = new NodeStats([.. config.Tables.Select(t => t.FullName)], this.time);
        board = new StatusBoard(config, stats, this.time);
        metrics = new SyncMetrics(() => board.Status);
        tables = new TableSet(config);
        outputs = new WriterOutputFactory(config);
        parts = new NodeParts(config, metrics, stats, log, this.time);
    }

    public NodeStatus Status => board.Status;

    public Task<RetryOutcome> RetryDeadLettersAsync(byte[]? key, bool force, CancellationToken cancellationToken) =>
        AtEngineAsync(engine => engine.DeadLetters!.RetryAsync(key, force, cancellationToken));

    public Task<int> DropDeadLettersAsync(string? id, byte[]? key, CancellationToken cancellationToken) =>
        AtEngineAsync(engine => engine.DeadLetters!.DropAsync(id, key, cancellationToken));

    public Task<IReadOnlyList<ResyncStatus>> StartResyncAsync(string? table, int rowsPerSecond, CancellationToken cancellationToken) =>
        AtEngineAsync(engine => Resyncs(engine).StartAsync(table, rowsPerSecond, cancellationToken));

    public Task<IReadOnlyList<ResyncStatus>> OrderResyncAsync(string? table, ResyncOrder order, CancellationToken cancellationToken) =>
        AtEngineAsync(engine => Resyncs(engine).OrderAsync(table, order, cancellationToken));

    public Task<RepairReply> RepairAsync(RepairRequest request, CancellationToken cancellationToken) =>
        AtEngineAsync(engine => Resyncs(engine).RepairAsync(request, cancellationToken));

    static ResyncDesk Resyncs(NodeEngine engine) => engine.Resyncs ?? throw NotWorking();

    async Task<T> AtEngineAsync<T>(Func<NodeEngine, Task<T>> work)
    {
        try
        {
            return await work(board.Engine ?? throw NotWorking());
        }
        catch (ChannelClosedException)
        {
            throw NotWorking();
        }
    }

    static SyncException NotWorking() =>
        new(ExitCode.Usage, "This node is not the one that writes (it is starting, standing by or stopping); ask the active one, or try again.");

    /// <summary>Runs until <paramref name="stop"/>; then what was read is written, within shutdownTimeout.</summary>
    /// <exception cref="SyncException">Something a user has to mend.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        // Writers outlive the request to stop until they are empty, or until shutdownTimeout.
        using var hard = new CancellationTokenSource();
        using var onStop = stop.Register(() =>
        {
            board.Set(NodeState.Stopping);
            log.Stopping();
            hard.CancelAfter(config.ShutdownTimeout);
        });
        try
        {
            await CheckRedisAsync(stop);
            while (true)
            {
                try
                {
                    await WorkAsync(stop, hard.Token);
                    return;
                }
                catch (Exception e) when (!stop.IsCancellationRequested && CanComeBack(e))
                {
                    await BackOffAsync(e, stop);
                }
            }
        }
        catch (Exception e) when (stop.IsCancellationRequested && (e is OperationCanceledException or ChannelClosedException or RedisFencedException or RedisTransientException or AnewException || Source.IsTransient(e)))
        {
            // Stopped by request, or lost while stopping: whoever is next begins where Redis is.
        }
        catch (RedisTransientException e)
        {
            throw new SyncException(ExitCode.RedisUnreachable,
                $"{e.Message} Gave up after {failures} attempts (retryPolicy.maxConnectionRetries); start again when Redis is back, nothing is lost.", e);
        }
        finally
        {
            log.Stopped(board.Status.Lsn.Applied);
            board.Set(NodeState.Stopped);
        }
    }

    /// <summary>A standby should find out now, and not when it has to take over, that its Redis can't be used.</summary>
    async Task CheckRedisAsync(CancellationToken stop)
    {
        try
        {
            await using var session = await SinkSession.OpenAsync(config.Redis, config.WriteTimeout, time, null, null, stop);
        }
        catch (RedisTransientException e)
        {
            throw new SyncException(ExitCode.RedisUnreachable, e.Message, e);
        }
    }

    /// <summary>From finding the primary to the end of its stream. Returns when there is nothing more to do.</summary>
    async Task WorkAsync(CancellationToken stop, CancellationToken hard)
    {
        await using var source = await Source.OpenAsync(parts, tables, board, found: () => proven = true, stop);
        await NodeEngine.RunAsync(parts, outputs, tables, source, options, board, copied: () => failures = 0, stop, hard);
    }

    /// <summary>Once PostgreSQL was found good, losing it or Redis is waited out; at start it is the user's to mend.</summary>
    bool CanComeBack(Exception error) =>
        error is RedisFencedException or AnewException || (proven && (error is RedisTransientException ? MayTryRedis : Source.IsTransient(error)));

    bool MayTryRedis => config.RetryPolicy.MaxConnectionRetries == 0 || failures < config.RetryPolicy.MaxConnectionRetries;

    async Task BackOffAsync(Exception cause, CancellationToken stop)
    {
        failures++;
        var delay = Backoff.Delay(config.RetryPolicy, failures, Random.Shared.NextDouble());
        board.Set(NodeState.Reconnecting, cause.Message);
        stats.SetError(cause.Message);
        if (cause is RedisFencedException) log.Fenced(cause.Message, delay);
        else if (failures is 1 or 10 || failures % 100 == 0) log.StreamLost(cause.Message, delay);
        await Task.Delay(delay, time, stop);
    }

    public ValueTask DisposeAsync()
    {
        metrics.Dispose();
        return ValueTask.CompletedTask;
    }
}

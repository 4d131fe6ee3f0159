using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Retry;

namespace Sync.Node.Hosting;

/// <summary>
/// The embedded default: one process, no cluster. It owns the life of a node:
/// <list type="number">
/// <item>find the primary, check it, settle the publication and compile the tables;</item>
/// <item>take the slot's lease, or stand by until it falls to us;</item>
/// <item>read from Redis how far it is, and start the writers;</item>
/// <item>copy the tables that were not copied yet;</item>
/// <item>stream, and after a lost connection begin again at 1, while the writers live on.</item>
/// </list>
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
    }

    public NodeStatus Status => board.Status;

    public Task<(int Applied, int Failed)> RetryDeadLettersAsync(byte[]? key, CancellationToken cancellationToken) =>
        board.Engine?.DeadLetters.RetryAsync(key, cancellationToken) ?? throw NotWorking();

    public Task<int> DropDeadLettersAsync(string? id, byte[]? key, CancellationToken cancellationToken) =>
        board.Engine?.DeadLetters.DropAsync(id, key, cancellationToken) ?? throw NotWorking();

    static SyncException NotWorking() =>
        new(ExitCode.Usage, "This node is not the one that writes (it is starting, standing by or stopping); ask the active one, or try again.");

    /// <summary>Runs until <paramref name="stop"/>; then what was read is written, within shutdownTimeout.</summary>
    /// <exception cref="SyncException">Something a user has to mend.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        // Writers outlive the request to stop until they are empty, or until shutdownTimeout.
        using var hard = new CancellationTokenSource();
        using var soft = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var onStop = stop.Register(() =>
        {
            board.Set(NodeState.Stopping);
            hard.CancelAfter(config.ShutdownTimeout);
        });
        NodeEngine? engine = null;
        try
        {
            for (int failures = 0; ;)
            {
                try
                {
                    await using var source = await Source.OpenAsync(config, tables, log, time, board, soft.Token);
                    if (engine is null)
                    {
                        engine = await NodeEngine.StartAsync(config, tables, source, log, stats, metrics, time, soft, hard.Token);
                        board.Engine = engine;
                    }
                    else await engine.SettleAsync(source, soft.Token);
                    if (await engine.CopyAsync(source, options, board, soft.Token)) return;
                    failures = 0;
                    await engine.StreamAsync(source, board, soft.Token, hard.Token);
                }
                catch (Exception e) when (engine is not null && !soft.IsCancellationRequested && Source.IsTransient(e))
                {
                    failures++;
                    var delay = Backoff.Delay(config.RetryPolicy, failures, Random.Shared.NextDouble());
                    board.Set(NodeState.Reconnecting, e.Message);
                    stats.SetError(e.Message);
                    if (failures is 1 or 10 || failures % 100 == 0) log.StreamLost(e.Message, delay);
                    await Task.Delay(delay, time, soft.Token);
                }
            }
        }
        catch (OperationCanceledException) when (soft.IsCancellationRequested)
        {
            // Stopping by request, or because a writer failed; the latter shows below.
        }
        finally
        {
            if (engine is not null)
            {
                log.Stopping();
                await engine.StopAsync(hard.Token);
                log.Stopped(engine.Confirmed.ToString());
            }
            board.Set(NodeState.Stopped);
        }
        engine?.ThrowIfFailed();
    }

    public ValueTask DisposeAsync()
    {
        metrics.Dispose();
        return ValueTask.CompletedTask;
    }
}

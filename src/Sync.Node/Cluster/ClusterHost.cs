using Akka.Actor;
using Sync.Actors.Hosting;
using Sync.Actors.Ports;
using Sync.Actors.Status;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Node.Resync;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;
using Sync.Redis.Errors;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <summary>
/// A node of a cluster. It owns the life of its process:
/// <list type="number">
/// <item>look whether PostgreSQL and Redis can be used, and fix the number of lanes at the first start of all;</item>
/// <item>join the cluster, with the actors of its roles on top of what this namespace makes of PostgreSQL and Redis;</item>
/// <item>until it is asked to stop: then its lanes drain, the reader is handed over, and it leaves.</item>
/// </list>
/// It ends by itself when a user has to mend something, and when the others go on without it; a supervisor starts it again.
/// </summary>
public sealed class ClusterHost : INodeAdmin, IClusterAdmin, INodeFate, IAsyncDisposable
{
    static readonly TimeSpan recountEvery = TimeSpan.FromSeconds(5), patience = TimeSpan.FromSeconds(5), leftBehind = TimeSpan.FromSeconds(25);

    readonly SyncConfig config;
    readonly ILogger logger;
    readonly TimeProvider time;
    readonly HostLog log;
    readonly NodeStats stats;
    readonly StatusBoard board;
    readonly SyncMetrics metrics;
    readonly NodeParts parts;
    readonly NodeLanes lanes;
    readonly PostgresLaneSourceFactory sources;
    readonly ReaderOrders orders;
    readonly ClusterPresence presence;
    readonly ReaderWatch watch = new(leftBehind);
    readonly TaskCompletionSource<SyncException> fate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    volatile ClusterSystem? cluster;
    bool isStopping, isLeftBehind;

    public ClusterHost(SyncConfig config, ILogger logger, TimeProvider? time = null)
    {
        this.config = config;
        this.logger = logger;
        this.time = time ?? TimeProvider.System;
        log = new HostLog(logger);
        stats = new NodeStats([.. config.Tables.Select(t => t.FullName)], this.time);
        board = new StatusBoard(config, stats, this.time);
        metrics = new SyncMetrics(() => Status);
        parts = new NodeParts(config, metrics, stats, log, this.time);
        lanes = new NodeLanes(parts);
        sources = new PostgresLaneSourceFactory(parts, new TableSet(config), board, lanes.Store);
        orders = new ReaderOrders(config, lanes.Store);
        presence = new ClusterPresence(config, sources.IsReadByClusterAsync, this.time);
    }

    /// <summary>What this node does: as the reader what a single host does, else it stands by for that. Ready as soon as it is a member.</summary>
    public NodeStatus Status
    {
        get
        {
            var status = board.Status;
            bool isUp = cluster is { } current && !current.Ended.IsCompleted && current.IsUp;
            int circuits = status.OpenCircuits + lanes.Writers.OpenCircuits;
            if (isStopping) return status with { State = cluster is null ? NodeState.Stopped : NodeState.Stopping, Ready = false, OpenCircuits = circuits };
            if (board.Engine?.Resyncs is null) status = status with { Resyncs = orders.Known };
            if (board.Engine is null && isUp)
            {
                string reading = sources.IsIdle ? "another node reads" : status.Detail is { Length: > 0 } waits ? $"about to read: {waits}" : "about to read";
                status = status with { State = NodeState.Standby, Detail = $"{lanes.Book.Count} lanes here; {reading}" };
            }
            return status with { Ready = isUp, OpenCircuits = circuits };
        }
    }

    public void End(SyncException cause) => fate.TrySetResult(cause);

    /// <summary>Runs until <paramref name="stop"/>; then lanes drain and the reader is handed over, within shutdownTimeout.</summary>
    /// <exception cref="SyncException">Something a user has to mend, or the cluster goes on without this node.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            await CheckRedisAsync(stop);
            bool isThere = await presence.FindAsync(forWhom => { if (forWhom.Length > 0) log.Warning(forWhom); }, stop);
            // From here on losing PostgreSQL ends no node, though its reader may begin only much later.
            sources.Found();
            await using var leases = new LeaseStore(new PostgresConnector(config.Postgres.Conn));
            bool needsLease = config.Cluster.EffectiveDowning == DowningStrategy.LeaseMajority;
            var seeds = await SeedResolver.ResolveAsync(config.Cluster.Seeds, stop);
            var settings = new ClusterHostSettings
            {
                Seeds = seeds,
                // One that knows of no other node has nobody to join.
                OnlyJoins = isThere && seeds.Any(seed => seed != config.Cluster.Address),
                Slot = config.Postgres.Repl.Slot,
                ShutdownTimeout = config.ShutdownTimeout,
                Leases = needsLease ? leases : null,
            };
            await using var system = await ClusterSystem.StartAsync(
                config, settings, lanes, sources, new ReaderDesk(board), this, new PetabridgeText(Desk, () => board.Status.DeadLetters), logger, presence.Major, stop);
            new ClusterLeaving(system.System, system.Lanes, system.Proxy, system.Status, sources, config.ShutdownTimeout, () => isLeftBehind).Register();
            cluster = system;
            logger.LogInformation("node {Node} of cluster {Cluster}, incarnation {Incarnation}, {Lanes} lanes", config.Cluster.Address, config.Cluster.Name, lanes.Incarnation, config.Cluster.Lanes);
            await LiveAsync(system, settings.OnlyJoins ? new ClusterJoining(system.System, config.Cluster, seeds, presence.IsAnybodyThereAsync) : null, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Asked to stop before it had begun.
        }
        finally
        {
            isStopping = true;
            cluster = null;
            log.Stopped(board.Status.Lsn.Applied);
        }
    }

    async Task LiveAsync(ClusterSystem system, ClusterJoining? joining, CancellationToken stop)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var counting = CountAsync(ending.Token);
        var showing = presence.ShowAsync(() => system.IsUp, log.Warning, ending.Token);
        var rehearsed = config.Cluster.Roles.HasFlag(ClusterRoles.Reader) ? new ReaderRehearsal(parts).RunAsync(token => IsReadElsewhereAsync(system, token), ending.Token) : Task.CompletedTask;
        var joined = joining?.RunAsync(ending.Token) ?? Task.CompletedTask;
        var asked = Task.Delay(Timeout.InfiniteTimeSpan, time, ending.Token);
        await Task.WhenAny(asked, fate.Task, system.Ended);
        isStopping = true;
        await ending.CancelAsync();
        if (!system.Ended.IsCompleted) log.Stopping();
        if (isLeftBehind) system.Down();
        else if (fate.Task is { IsCompletedSuccessfully: true, Result.Code: ExitCode.ClusterDowned }) await system.DissolveAsync();
        bool ownEnd = system.Ended.IsCompleted;
        await system.StopAsync();
        await Task.WhenAll(counting, showing, rehearsed, joined);
        if (fate.Task.IsCompleted) throw await fate.Task;
        if (ownEnd && await system.Ended is var code and not ExitCode.Ok)
            throw new SyncException(code, $"The cluster goes on without node {config.Cluster.Address}: it was not reached for too long, or was taken out; started again it joins anew, and nothing is lost.");
    }

    /// <summary>Whether another node reads, as far as this one has heard; null while nobody is known to.</summary>
    async Task<bool?> IsReadElsewhereAsync(ClusterSystem system, CancellationToken cancellationToken)
    {
        if (!sources.IsIdle) return false;
        try
        {
            var heard = await system.Status.Ask<HeardReader>(HeardReaderQuery.Instance, patience, cancellationToken);
            return heard.Epoch > 0 ? true : null;
        }
        catch (AskTimeoutException)
        {
            return null;
        }
    }

    /// <summary>Keeps the rates going, and knows of the dead letters that other nodes have parked.</summary>
    async Task CountAsync(CancellationToken cancellationToken)
    {
        try
        {
            for (long countedAt = 0; ; await Task.Delay(TimeSpan.FromSeconds(1), time, cancellationToken))
            {
                if (board.Engine is null) stats.Sample();
                bool recounts = countedAt == 0 || time.GetElapsedTime(countedAt) >= recountEvery;
                if (recounts) countedAt = time.GetTimestamp();
                try
                {
                    if (board.Engine is null) await orders.LookAsync(cancellationToken);
                    if (!recounts) continue;
                    await CountDeadLettersAsync(cancellationToken);
                    await LookBehindAsync(cancellationToken);
                }
                catch (AskTimeoutException)
                {
                    // Busy; it is looked again.
                }
                catch (RedisTransientException e)
                {
                    stats.SetError(e.Message);
                }
                catch (SyncException e)
                {
                    End(e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The node ends.
        }
    }

    /// <summary>Ends the node when the cluster goes on without it and it does not notice: one that others took out while it stood still may stay among dead neighbours.</summary>
    async Task LookBehindAsync(CancellationToken cancellationToken)
    {
        if (cluster is not { } system) return;
        long begun = await lanes.Store.BegunEpochAsync(cancellationToken);
        var heard = await system.Status.Ask<HeardReader>(HeardReaderQuery.Instance, patience, cancellationToken);
        if (!watch.IsLeftBehind(begun, heard.Epoch, time.GetUtcNow())) return;
        try
        {
            if (!await presence.IsReadAsync(cancellationToken)) return;
        }
        catch (SyncException e) when (e.Code == ExitCode.PostgresUnreachable)
        {
            return;
        }
        isLeftBehind = true;
        End(new SyncException(ExitCode.ClusterDowned, $"The cluster goes on without node {config.Cluster.Address}, whom nobody tells; started again it joins anew, and nothing is lost."));
    }

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

    public ClusterCounts Counts => cluster?.Count(lanes.Book.Count, board.Engine is not null) ?? default;

    public Task<ClusterView> LookAsync(CancellationToken cancellationToken) => Desk().LookAsync(board.Status.DeadLetters, cancellationToken);

    public Task<LanesView> LanesAsync(CancellationToken cancellationToken) => Desk().LanesAsync(cancellationToken);

    public Task<NodeReply> LeaveAsync(string node, CancellationToken cancellationToken) => Desk().LeaveAsync(node, cancellationToken);

    public Task<NodeReply> DownAsync(string node, CancellationToken cancellationToken) => Desk().DownAsync(node, cancellationToken);

    public async Task<RetryOutcome> RetryDeadLettersAsync(byte[]? key, bool force, CancellationToken cancellationToken)
    {
        var letters = await Desk().RetryAsync(key, force, cancellationToken);
        await CountDeadLettersAsync(cancellationToken);
        return new RetryOutcome(letters.Handled, letters.Left, letters.Left == 0 ? 0 : null);
    }

    public async Task<int> DropDeadLettersAsync(string? id, byte[]? key, CancellationToken cancellationToken)
    {
        int dropped = await Desk().DropAsync(id, key, cancellationToken);
        await CountDeadLettersAsync(cancellationToken);
        return dropped;
    }

    async Task CountDeadLettersAsync(CancellationToken cancellationToken) => stats.SetDeadLetters(await lanes.Store.CountDeadLettersAsync(cancellationToken));

    ClusterDesk Desk() => new(config, System(), time);

    ClusterSystem System() => cluster is { } system && !isStopping ? system
        : throw new SyncException(ExitCode.Usage, "This node is no member of its cluster yet, or not any more; ask another one, or try again.");

    public Task<IReadOnlyList<ResyncStatus>> StartResyncAsync(string? table, int rowsPerSecond, CancellationToken cancellationToken) =>
        orders.ResyncAsync(System().Orders, ReaderVerb.Resync, new ResyncRequest(table, rowsPerSecond), cancellationToken);

    public Task<IReadOnlyList<ResyncStatus>> OrderResyncAsync(string? table, ResyncOrder order, CancellationToken cancellationToken) => orders.ResyncAsync(
        System().Orders, order switch { ResyncOrder.Pause => ReaderVerb.Pause, ResyncOrder.Resume => ReaderVerb.Resume, _ => ReaderVerb.Cancel }, new ResyncRequest(table), cancellationToken);

    public Task<RepairReply> RepairAsync(RepairRequest request, CancellationToken cancellationToken) =>
        orders.AskAsync<RepairReply>(System().Orders, ReaderVerb.Repair, request, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await lanes.DisposeAsync();
        metrics.Dispose();
    }
}

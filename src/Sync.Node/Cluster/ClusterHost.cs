using Akka.Actor;
using Sync.Actors.DeadLetters;
using Sync.Actors.Hosting;
using Sync.Actors.Inspection;
using Sync.Actors.Ports;
using Sync.Actors.Status;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Node.Resync;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;
using Sync.Postgres.Slots;
using Sync.Redis.Errors;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <param name="Picture">Members, who reads, which node has which lanes.</param>
/// <param name="RowsWaiting">Rows with lanes that are not in Redis yet.</param>
/// <param name="BytesWaiting">Bytes of these rows.</param>
/// <param name="LagMs">Age of the oldest of them, in milliseconds.</param>
/// <param name="CircuitsOpen">Lanes that Redis refuses.</param>
/// <param name="ParkedKeys">Ordering keys with dead letters.</param>
/// <param name="Silent">Lanes that did not tell in time.</param>
public sealed record ClusterReport(ClusterPicture Picture, long RowsWaiting, long BytesWaiting, double LagMs, int CircuitsOpen, int ParkedKeys, IReadOnlyList<int> Silent);

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
    static readonly TimeSpan recountEvery = TimeSpan.FromSeconds(5), patience = TimeSpan.FromSeconds(5), longestOrder = TimeSpan.FromMinutes(1), leftBehind = TimeSpan.FromSeconds(25);

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
            if (board.Engine is null && isUp) status = status with { State = NodeState.Standby, Detail = $"{lanes.Book.Count} lanes here; another node reads" };
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
            bool isAtWork = await IsAtWorkAsync(stop);
            await using var leases = new LeaseStore(new PostgresConnector(config.Postgres.Conn));
            bool needsLease = config.Cluster.EffectiveDowning == DowningStrategy.LeaseMajority;
            var seeds = await SeedResolver.ResolveAsync(config.Cluster.Seeds, stop);
            var settings = new ClusterHostSettings
            {
                Seeds = seeds,
                // One that knows of no other node has nobody to join.
                OnlyJoins = isAtWork && seeds.Any(seed => seed != config.Cluster.Address),
                Slot = config.Postgres.Repl.Slot,
                ShutdownTimeout = config.ShutdownTimeout,
                Leases = needsLease ? leases : null,
            };
            await using var system = await ClusterSystem.StartAsync(config, settings, lanes, sources, this, logger, stop);
            new ClusterLeaving(system.System, system.Lanes, system.Proxy, system.Status, sources, config.ShutdownTimeout, () => isLeftBehind).Register();
            cluster = system;
            logger.LogInformation("node {Node} of cluster {Cluster}, incarnation {Incarnation}, {Lanes} lanes", config.Cluster.Address, config.Cluster.Name, lanes.Incarnation, config.Cluster.Lanes);
            await LiveAsync(system, stop);
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

    async Task LiveAsync(ClusterSystem system, CancellationToken stop)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var counting = CountAsync(ending.Token);
        var asked = Task.Delay(Timeout.InfiniteTimeSpan, time, ending.Token);
        await Task.WhenAny(asked, fate.Task, system.Ended);
        isStopping = true;
        await ending.CancelAsync();
        if (!system.Ended.IsCompleted) log.Stopping();
        if (isLeftBehind) system.Down();
        else if (fate.Task is { IsCompletedSuccessfully: true, Result.Code: ExitCode.ClusterDowned }) await system.DissolveAsync();
        bool ownEnd = system.Ended.IsCompleted;
        await system.StopAsync();
        await counting;
        if (fate.Task.IsCompleted) throw await fate.Task;
        if (ownEnd && await system.Ended is var code and not ExitCode.Ok)
            throw new SyncException(code, $"The cluster goes on without node {config.Cluster.Address}: it was not reached for too long, or was taken out; started again it joins anew, and nothing is lost.");
    }

    /// <summary>Keeps the rates going, and knows of the dead letters that other nodes have parked.</summary>
    async Task CountAsync(CancellationToken cancellationToken)
    {
        try
        {
            for (long countedAt = 0; ; await Task.Delay(TimeSpan.FromSeconds(1), time, cancellationToken))
            {
                if (board.Engine is null) stats.Sample();
                if (countedAt != 0 && time.GetElapsedTime(countedAt) < recountEvery) continue;
                countedAt = time.GetTimestamp();
                try
                {
                    stats.SetDeadLetters(await lanes.Store.CountDeadLettersAsync(cancellationToken));
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
            if (!await IsAtWorkAsync(cancellationToken)) return;
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

    /// <summary>
    /// Fixes the number of lanes, and looks whether a cluster works for the slot. The first seed must not begin another one then: started while it is cut off from the others it
    /// would be a cluster by itself for good.
    /// </summary>
    async Task<bool> IsAtWorkAsync(CancellationToken stop)
    {
        string slot = config.Postgres.Repl.Slot;
        await using var primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync(stop);
        await new SlotSettings(primary).FixLanesAsync(slot, config.Cluster.Lanes, stop);
        return await SlotLease.IsHeldAsync(primary, slot, stop) && await sources.IsReadByClusterAsync(stop);
    }

    public async Task<object> LookAsync(CancellationToken cancellationToken)
    {
        var system = System();
        var asking = AskAsync<ClusterStatus>(system.Status, ClusterStatusQuery.Instance, patience, cancellationToken);
        var picture = await system.Inspector.LookAsync(cancellationToken);
        var status = await asking;
        double lag = status.Lanes.Count == 0 ? 0 : TimeSpan.FromTicks(status.Lanes.Max(lane => lane.LagTicks)).TotalMilliseconds;
        return new ClusterReport(picture, status.RowsWaiting, status.BytesWaiting, lag, status.CircuitsOpen, status.ParkedKeys, status.Silent);
    }

    public async Task<(int Applied, int Failed)> RetryDeadLettersAsync(byte[]? key, bool force, CancellationToken cancellationToken)
    {
        var handled = await OrderAsync(new RetryDeadLetters(Name(), key ?? [], force), cancellationToken);
        return (handled.Handled, handled.Answers.Count(a => a.Outcome is not Sync.Contracts.Cluster.DeadLetterOutcome.Done));
    }

    public async Task<int> DropDeadLettersAsync(string? id, byte[]? key, CancellationToken cancellationToken)
    {
        if (id is not null)
        {
            if (await new RedisDeadLetterReader(config, time).GetAsync(id, cancellationToken) is not { } letter) return 0;
            key = letter.Key.ToArray();
        }
        return (await OrderAsync(new DropDeadLetters(Name(), key ?? [], id is null ? [] : [id]), cancellationToken)).Handled;
    }

    async Task<DeadLettersHandled> OrderAsync(object order, CancellationToken cancellationToken)
    {
        var handled = await AskAsync<DeadLettersHandled>(System().DeadLetters, order, longestOrder, cancellationToken);
        stats.SetDeadLetters(await lanes.Store.CountDeadLettersAsync(cancellationToken));
        return handled.Silent.Count == 0 ? handled
            : throw new SyncException(ExitCode.Usage, $"{handled.Handled} dead letters were handled, but {handled.Silent.Count} lanes did not answer; they may be moving: ask again.");
    }

    async Task<T> AskAsync<T>(IActorRef actor, object question, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            return await actor.Ask<T>(question, limit, cancellationToken);
        }
        catch (AskTimeoutException e)
        {
            throw new SyncException(ExitCode.Usage, "The lanes of the cluster did not answer in time; ask again.", e);
        }
    }

    static string Name() => Guid.NewGuid().ToString("N");

    ClusterSystem System() => cluster is { } system && !isStopping ? system : throw new SyncException(ExitCode.Usage, "This node is no member of its cluster yet, or not any more; ask another one, or try again.");

    public Task<IReadOnlyList<ResyncStatus>> StartResyncAsync(string? table, int rowsPerSecond, CancellationToken cancellationToken) => throw NotHere("A re-sync");

    public Task<IReadOnlyList<ResyncStatus>> OrderResyncAsync(string? table, ResyncOrder order, CancellationToken cancellationToken) => throw NotHere("A re-sync");

    public Task<RepairReply> RepairAsync(RepairRequest request, CancellationToken cancellationToken) => throw NotHere("A repair");

    static SyncException NotHere(string what) => new(ExitCode.Usage, $"{what} does not work in a cluster of nodes (cluster.enabled) yet; stop the cluster and run a single node for it.");

    public async ValueTask DisposeAsync()
    {
        await lanes.DisposeAsync();
        metrics.Dispose();
    }
}

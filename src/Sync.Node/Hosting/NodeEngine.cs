using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.DeadLetters;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;
using Sync.Postgres.Rows;
using Sync.Postgres.Streaming;
using Sync.Redis;
using Sync.Redis.Errors;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// The working part of a node: writers, positions and what feeds them. It lives from the moment the slot is ours until the end; connections
/// to PostgreSQL come and go below it.
/// </summary>
sealed class NodeEngine
{
    /// <summary>Memory for what is between PostgreSQL and Redis.</summary>
    const long maxQueuedBytes = 32 * 1024 * 1024;

    readonly PumpContext context;
    readonly Dictionary<string, SnapshotMark> marks;
    readonly List<Task> writers = [];
    readonly CancellationTokenSource soft, hard;
    Exception? failure;

    NodeEngine(PumpContext context, Dictionary<string, SnapshotMark> marks, CancellationTokenSource soft, CancellationTokenSource hard)
    {
        this.context = context;
        this.marks = marks;
        this.soft = soft;
        this.hard = hard;
        DeadLetters = new DeadLetterDesk(context);
    }

    public DeadLetterDesk DeadLetters { get; }
    public Lsn Confirmed => context.Tracker.Confirmed;
    public long OldestCommitTicks => context.Tracker.OldestCommitTicks;
    public int OpenCircuits => context.Writers.Count(w => w.IsCircuitOpen);
    public QueueStatus Queues => context.Gate.Status;

    /// <summary>Reads from Redis what it holds and starts the writers.</summary>
    /// <exception cref="SyncException">Redis can't be reached, refuses, or holds the progress of another PostgreSQL.</exception>
    public static async Task<NodeEngine> StartAsync(
        SyncConfig config, TableSet tables, Source source, HostLog log, NodeStats stats, SyncMetrics metrics, TimeProvider time,
        CancellationTokenSource soft, CancellationTokenSource hard)
    {
        var shared = new WriterContext(config, new RedisKeys(config.Postgres.Repl.Slot), metrics, stats, log, time);
        LanePositions positions;
        Dictionary<byte[], long> parkedKeys;
        Dictionary<string, SnapshotMark> marks;
        try
        {
            await using var session = await SinkSession.OpenAsync(config.Redis.Conn, config.WriteTimeout, time, null, soft.Token);
            log.Connected(
                source.Facts.Version, source.Primary.Address.ToString(),
                session.Connection.Server.Version?.ToString() ?? "?", session.Connection.Endpoint);
            positions = await shared.Progress.BeginAsync(session.Connection, source.Facts.SystemIdentifier.ToString(System.Globalization.CultureInfo.InvariantCulture), soft.Token);
            parkedKeys = await shared.DeadLetters.LoadParkedKeysAsync(session.Connection, soft.Token);
            stats.SetDeadLetters(await shared.DeadLetters.CountAsync(session.Connection, soft.Token));
            marks = await shared.Snapshots.LoadAsync(session.Connection, soft.Token);
            if (source.Slot.Created)
            {
                // Whatever was copied belongs to an earlier slot; what was committed between the two slots was seen by neither.
                foreach (string table in marks.Keys) await shared.Snapshots.ClearAsync(session.Connection, table, soft.Token);
                marks.Clear();
            }
        }
        catch (RedisTransientException e)
        {
            throw new SyncException(ExitCode.RedisUnreachable, e.Message, e);
        }
        var router = new LaneRouter(LanePositions.DefaultLanes, config.FlushWorkers);
        var applied = new AppliedPositions(router.Lanes);
        for (int lane = 0; lane < router.Lanes; lane++) applied.Raise(lane, positions[lane]);
        var parked = Enumerable.Range(0, config.FlushWorkers).Select(_ => new ParkedKeys()).ToArray();
        foreach (byte[] key in parkedKeys.Keys) parked[router.WorkerOf(router.LaneOf(key))].Add(key);
        var writers = parked.Select((keys, index) => new RedisWriter(index, shared, keys)).ToArray();
        foreach (var table in tables.All)
            if (marks.TryGetValue(table.Name, out var mark) && mark.State == SnapshotState.Done) table.Floor = mark.Lsn;
        var tracker = new ProgressTracker(config.FlushWorkers, source.Slot.Facts.ConfirmedFlushLsn);
        var gate = new FlowGate(maxQueuedBytes, config.MaxWriteQueueSize ?? int.MaxValue);
        var engine = new NodeEngine(new PumpContext(shared, writers, tables, router, applied, tracker, gate), marks, soft, hard);
        foreach (var writer in writers) engine.writers.Add(Task.Run(() => engine.WatchAsync(writer.RunAsync(hard.Token)), CancellationToken.None));
        return engine;
    }

    /// <summary>A writer ends early only when something is fatally wrong; then everything stops.</summary>
    async Task WatchAsync(Task writer)
    {
        try
        {
            await writer;
        }
        catch (Exception e)
        {
            if (e is not OperationCanceledException) Interlocked.CompareExchange(ref failure, e, null);
            // Nobody may wait for a writer that is no more: what is not confirmed by now comes again at the next start.
            await soft.CancelAsync();
            await hard.CancelAsync();
        }
    }

    /// <summary>After a lost connection: everything read is applied before another stream replays it.</summary>
    public async Task SettleAsync(Source source, CancellationToken cancellationToken)
    {
        await context.SettleAsync(cancellationToken);
        if (source.Slot.Created)
            throw new SyncException(ExitCode.Slot,
                $"Slot {context.Config.Postgres.Repl.Slot} was dropped while this node was running and had to be created anew, so changes may be missing; start again: every table will be copied.");
    }

    /// <summary>Copies what has to be copied. True when that was all there is to do.</summary>
    public async Task<bool> CopyAsync(Source source, HostOptions options, StatusBoard board, CancellationToken cancellationToken)
    {
        var mode = options.SnapshotOnly ? SnapshotMode.OnetimeOnly : context.Config.Snapshot.Mode;
        if (mode != SnapshotMode.Never)
        {
            await EmptyStoppedAsync(cancellationToken);
            await new SnapshotRun(context, source, board).RunAsync(
                table => options.OnlyTable == table.Name || (options.OnlyTable is null && IsNotCopied(table)), cancellationToken);
            foreach (var table in context.Tables.All)
                if (table.Floor != Lsn.None) marks[table.Name] = new SnapshotMark(table.Floor, SnapshotState.Done, 0);
        }
        await source.ReleaseSnapshotAsync();
        return mode == SnapshotMode.OnetimeOnly;
    }

    /// <summary>A table that was stopped missed deletes: what was made of its rows goes before they are copied anew.</summary>
    async Task EmptyStoppedAsync(CancellationToken cancellationToken)
    {
        foreach (var table in context.Tables.All.Where(t => t.Plan is not null && marks.TryGetValue(t.Name, out var mark) && mark.State == SnapshotState.Stopped))
            await context.Writers[0].RunBehindAsync((session, ct) => TruncateSweep.RunAsync(session.Connection, table, context, "is copied anew", ct), cancellationToken);
    }

    bool IsNotCopied(TableRuntime table) => !marks.TryGetValue(table.Name, out var mark) || mark.State != SnapshotState.Done;

    /// <summary>Streams until the connection is lost or the node stops.</summary>
    public async Task StreamAsync(Source source, StatusBoard board, CancellationToken soft, CancellationToken hard)
    {
        var config = context.Config;
        await using var rows = new RowReader(source.Primary);
        await using var stream = await ReplicationStream.OpenAsync(source.Primary, new ReplicationStreamOptions
        {
            Slot = config.Postgres.Repl.Slot,
            Publications = [config.Postgres.Repl.Pub],
            From = context.Tracker.Confirmed,
            ReceiveTimeout = config.Postgres.ReceiveTimeout,
            StatusInterval = config.Postgres.StandByTimeout,
        }, soft);
        var pump = new StreamPump(context, stream, source.Catalog, rows);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(soft);
        var reporter = new StreamReporter(context, stream, source, board).RunAsync(ended.Token);
        try
        {
            await pump.RunAsync(soft, hard);
            await FinishAsync(stream, hard);
        }
        finally
        {
            await ended.CancelAsync();
            await reporter;
            await pump.LeaveAsync();
        }
    }

    /// <summary>The last words to PostgreSQL: everything that was read and could be written.</summary>
    async Task FinishAsync(ReplicationStream stream, CancellationToken hard)
    {
        try
        {
            foreach (var writer in context.Writers) await writer.DrainedAsync(hard);
        }
        catch (Exception e) when (e is OperationCanceledException or System.Threading.Channels.ChannelClosedException)
        {
            // Out of time, or a writer failed: what is confirmed stays true, the rest comes again.
        }
        stream.SetConfirmed(context.Tracker.Confirmed);
        await stream.SendStatusAsync();
    }

    /// <summary>Lets the writers finish what they have; the token they were started with bounds it.</summary>
    public async Task StopAsync()
    {
        foreach (var writer in context.Writers) writer.Complete();
        await Task.WhenAll(writers);
    }

    /// <exception cref="SyncException">What made a writer end.</exception>
    public void ThrowIfFailed()
    {
        if (failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }
}

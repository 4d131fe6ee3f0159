using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;
using Sync.Engine.Resync;
using Sync.Engine.Retry;
using Sync.Node.Resync;
using Sync.Node.Schema;
using Sync.Postgres.Rows;
using Sync.Postgres.Streaming;
using Sync.Redis;
using Sync.Redis.Cluster;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// The working part of a node, for one connection to PostgreSQL: writers, positions and what feeds them. It begins by taking the right to
/// write and reading from Redis how far it is, so it needs to know nothing of the engine before it, in this process or another.
/// </summary>
sealed class NodeEngine
{
    /// <summary>Memory for what is between PostgreSQL and Redis.</summary>
    const long maxQueuedBytes = 32 * 1024 * 1024;

    readonly PumpContext context;
    readonly CopyStage copying;
    readonly RecentTransactions recent;
    readonly CancellationTokenSource reading, writing;
    readonly CancellationTokenSource watching = new();
    MasterWatch? masterWatch;
    Task writers = Task.CompletedTask, master = Task.CompletedTask;
    Exception? failure;

    NodeEngine(PumpContext context, RecentTransactions recent, string redis, CopyStage copying, CancellationToken soft, CancellationToken hard)
    {
        this.context = context;
        this.recent = recent;
        Redis = redis;
        this.copying = copying;
        reading = CancellationTokenSource.CreateLinkedTokenSource(soft);
        writing = CancellationTokenSource.CreateLinkedTokenSource(hard);
        DeadLetters = context.Writers is { } own ? new DeadLetterDesk(context, own) : null;
    }

    /// <summary>Dead letters; null where other nodes have them.</summary>
    public DeadLetterDesk? DeadLetters { get; }

    /// <summary>Re-syncs; null while nothing streams.</summary>
    public ResyncDesk? Resyncs { get; private set; }

    NodeParts Parts { get; init; } = null!;

    /// <summary>The shapes of the tables that Redis was filled from.</summary>
    ShapeBook Shapes { get; init; } = null!;

    /// <summary>The server that is written to.</summary>
    public string Redis { get; }
    public Lsn Confirmed => context.Tracker.Confirmed;
    public long OldestCommitTicks => context.Tracker.OldestCommitTicks;
    public int OpenCircuits => context.Output.OpenCircuits;
    public QueueStatus Queues => context.Gate.Status;

    /// <summary>What made a writer end; null while all is well.</summary>
    public Exception? Failure => Volatile.Read(ref failure);

    /// <summary>From taking over in Redis to the end of the stream. Returns when there is nothing more to do.</summary>
    /// <param name="shared">What the writers share; makes the session that is read from.</param>
    /// <param name="outputs">Makes what the rows go to.</param>
    /// <param name="tables">The tables, bound.</param>
    /// <param name="source">PostgreSQL, with the slot free for us.</param>
    /// <param name="options">What is to be copied.</param>
    /// <param name="board">Shows the engine.</param>
    /// <param name="copied">Called when all is copied and the stream begins.</param>
    /// <param name="stop">Ends reading.</param>
    /// <param name="hard">Ends writing.</param>
    /// <exception cref="RedisTransientException">Redis can't be reached.</exception>
    /// <exception cref="RedisFencedException">What is known of Redis does not hold any more.</exception>
    /// <exception cref="SyncException">Something a user has to mend, or PostgreSQL is lost.</exception>
    /// <exception cref="HistoryChangedException">PostgreSQL has left the history that Redis follows; the next start acts on it.</exception>
    /// <exception cref="SlotOutdatedException">The slot is of no use; the next start makes it anew.</exception>
    /// <exception cref="SchemaChangedException">A table was changed so that the next start has to settle it.</exception>
    public static async Task RunAsync(
        NodeParts shared, IOutputFactory outputs, TableSet tables, Source source, HostOptions options, StatusBoard board, Action copied,
        CancellationToken stop, CancellationToken hard)
    {
        try
        {
            await WorkAsync(shared, outputs, tables, source, options, board, copied, stop, hard);
        }
        catch (HistoryChangedException e)
        {
            shared.Diverged = e.Finding;
            throw;
        }
        catch (SchemaChangedException e) when (e.Stopped is { } table)
        {
            table.Stop($"it {e.Change[(table.Name.Length + 1)..]}, and postgres.onSchemaChange is stop");
            shared.Stats.Stopped(table.Index, table.Error);
            shared.Log.TableStopped(table.Name, table.Error);
            throw;
        }
        catch (SlotOutdatedException)
        {
            shared.HasToRemakeSlot = MayRemakeSlot(shared.Config);
            throw;
        }
        catch (SyncException e) when (e.Code == ExitCode.Publication && MayRemakeSlot(shared.Config))
        {
            shared.HasToRemakeSlot = true;
            throw new SlotOutdatedException(e.Message);
        }
    }

    static bool MayRemakeSlot(SyncConfig config) => config.Postgres.Repl.Owner == ReplicationOwner.App && config.Postgres.OnHistoryChange != HistoryPolicy.Stop;

    static async Task WorkAsync(
        NodeParts shared, IOutputFactory outputs, TableSet tables, Source source, HostOptions options, StatusBoard board, Action copied,
        CancellationToken stop, CancellationToken hard)
    {
        var engine = await StartAsync(shared, outputs, tables, source, stop, hard);
        board.Engine = engine;
        try
        {
            if (await engine.copying.RunAsync(source, options, board, engine.reading.Token)) return;
            copied();
            await engine.StreamAsync(source, board);
        }
        catch (Exception) when (engine.Failure is not null)
        {
            // Only followed from what a writer met with, which StopAsync throws.
        }
        catch (Exception e) when (!stop.IsCancellationRequested)
        {
            board.Set(NodeState.Reconnecting, e.Message);
            if (e is not ReplicationStreamException { Class: FailureClass.Fatal } fatal) throw;
            throw source.Primary.Describe(fatal.InnerException!);
        }
        finally
        {
            await engine.StopAsync();
        }
    }

    /// <summary>Takes over in Redis, reads what it holds and starts the writers.</summary>
    /// <param name="shared">What the writers share; makes the session that is read from.</param>
    /// <param name="outputs">Makes what the rows go to.</param>
    /// <param name="tables">The tables, bound.</param>
    /// <param name="source">PostgreSQL, with the slot free for us.</param>
    /// <param name="soft">Ends reading.</param>
    /// <param name="hard">Ends writing.</param>
    /// <exception cref="RedisTransientException">Redis can't be reached.</exception>
    /// <exception cref="SyncException">Redis refuses, or holds the progress of another PostgreSQL.</exception>
    static async Task<NodeEngine> StartAsync(
        NodeParts shared, IOutputFactory outputs, TableSet tables, Source source, CancellationToken soft, CancellationToken hard)
    {
        var config = shared.Config;
        await using var session = await SinkSession.OpenAsync(config.Redis, config.WriteTimeout, shared.Time, null, null, soft);
        var connection = session.Connection;
        var writer = shared.ContextFor(session.History, outputs.Router.Lanes);
        await AppendOnlyGuard.CheckAsync(writer, connection, config.Redis.IsCluster ? RedisKeys.AppendOnlyOf(HashSlots.Of(writer.Keys.Progress)) : RedisKeys.AppendOnly, soft);
        writer.Log.Connected(source.Facts.Version, source.Primary.Address.ToString(), connection.Server.Version.ToString(), connection.Endpoint);
        writer.Log.Promises(Guarantees.Of(config));
        if (connection.Server.EvictsKeys) writer.Log.Evicts(connection.Endpoint, connection.Server.EvictionPolicy);
        var history = new HistoryGuard(shared, writer, source);
        var begun = await writer.Progress.BeginAsync(connection, history.Opening(outputs.Opening(session.History)), soft);
        history.Begun(begun);
        var positions = begun.Positions;
        var (cluster, held) = await ClusterStart.TakeOverAsync(writer, source, session, isCleared: !begun.IsAnew && !positions.IsClearing, history.SwitchedAt, soft);
        writer = writer with { Cluster = cluster };
        bool wasLost = begun.IsAnew || await new LossCheck(writer, source).CloseAsync(session, positions, positions.IsStamped ? held?.Confirmed : null, soft);
        var marks = await writer.Snapshots.LoadAsync(connection, soft);
        await MarkRefusedAsync(writer, connection, tables, marks, source.Slot.Facts.ConfirmedFlushLsn, soft);
        var shapes = await ShapeBook.OpenAsync(writer, connection, source, tables, marks, soft);
        var parkedKeys = await writer.DeadLetters.LoadParkedKeysAsync(connection, soft);
        writer.Stats.SetDeadLetters(await writer.DeadLetters.CountAsync(connection, soft));
        writer.EnsureDeadLettersFit();
        var replay = held is null ? null : new SlotReplay(
            held, await writer.DeadLetters.SinceAsync(connection, source.Slot.Facts.ConfirmedFlushLsn, soft), await writer.TruncatesAsync(connection, soft));
        if (replay is not null) history.Ensure(replay.Highest.Commit);
        var landmarks = HistoryGuard.Watch(positions, (replay?.Highest ?? positions.Highest).Commit, source, config.Postgres.Repl.Pub);
        var context = Assemble(writer, outputs.Create(writer, parkedKeys.Keys, begun.Since), tables, source, outputs.Router, positions, replay, landmarks);
        foreach (var table in tables.All)
        {
            table.WasFollowed |= !table.IsRefused;
            table.CopyError = "";
            (table.CopyPlan, table.TellingPlan, table.Floor) = (null, null, marks.TryGetValue(table.Name, out var mark) && mark.State == SnapshotState.Done ? mark.Lsn : Lsn.None);
        }
        var engine = new NodeEngine(context, shared.Recent, cluster is null ? connection.Endpoint : string.Join(", ", cluster.Map.Masters), new CopyStage(context, marks, wasLost), soft, hard)
        {
            Parts = shared,
            Shapes = shapes,
        };
        engine.writers = Task.WhenAll(context.Output.Start(engine.writing.Token).Select(engine.WatchAsync));
        if (config.Redis.Sentinel is not null)
        {
            engine.masterWatch = new MasterWatch(config, connection.Endpoint, shared.Time);
            engine.master = engine.WatchAsync(engine.masterWatch.RunAsync(engine.watching.Token));
        }
        return engine;
    }

    /// <summary>The changes of a refused table are left out from here on: what an earlier start copied of it is emptied and copied again by the start that takes it.</summary>
    static async Task MarkRefusedAsync(
        WriterContext writer, RespConnection connection, TableSet tables, Dictionary<string, SnapshotMark> marks, Lsn from, CancellationToken cancellationToken)
    {
        foreach (var table in tables.All.Where(t => t.IsRefused))
        {
            if (!marks.TryGetValue(table.Name, out var mark) || mark.State is SnapshotState.Stopped or SnapshotState.Outdated) continue;
            await writer.Snapshots.MarkStoppedAsync(connection, table.Name, from, cancellationToken);
            marks[table.Name] = new SnapshotMark(from, SnapshotState.Stopped, 0);
        }
    }

    static PumpContext Assemble(
        WriterContext writer, IBatchOutput output, TableSet tables, Source source, LaneRouter router, LanePositions positions, SlotReplay? replay, LandmarkWatch landmarks)
    {
        var applied = new AppliedPositions(router.Lanes);
        for (int lane = 0; lane < router.Lanes; lane++) applied.Raise(lane, positions[lane]);
        var tracker = new ProgressTracker(router.Workers, source.Slot.Facts.ConfirmedFlushLsn);
        var gate = new FlowGate(maxQueuedBytes, writer.Config.MaxWriteQueueSize ?? int.MaxValue);
        return new PumpContext(writer, output, tables, router, applied, replay, tracker, gate) { Landmarks = landmarks };
    }

    /// <summary>A writer, or the watch of the master, ends early only when something is wrong that it can't mend; then nothing more is read.</summary>
    async Task WatchAsync(Task work)
    {
        try
        {
            await work;
        }
        catch (Exception e)
        {
            await FailAsync(e);
        }
    }

    /// <summary>Ends the engine with this cause, unless it has another.</summary>
    Task FailAsync(Exception cause)
    {
        if (cause is not OperationCanceledException) Interlocked.CompareExchange(ref failure, cause, null);
        return reading.CancelAsync();
    }

    /// <summary>Streams until the connection is lost or the node stops.</summary>
    async Task StreamAsync(Source source, StatusBoard board)
    {
        var config = context.Config;
        await using var rows = new RowReader(source.Primary);
        await using var stream = await ReplicationStream.OpenAsync(source.Primary, new ReplicationStreamOptions
        {
            Slot = config.Postgres.Repl.Slot,
            Publications = [config.Postgres.Repl.Pub],
            From = context.Tracker.Confirmed,
            Judged = source.Log,
            ReceiveTimeout = config.Postgres.ReceiveTimeout,
            StatusInterval = config.Postgres.StandByTimeout,
        }, reading.Token);
        var feed = new ResyncFeed(recent);
        var desk = new ResyncDesk(context, source, feed);
        if (copying.WhileStreaming.Count > 0) await context.Mends.StandStillAsync(reading.Token);
        await desk.OpenAsync(copying.WhileStreaming, writing.Token);
        var signal = new SchemaSignal();
        var pump = new StreamPump(context, stream, source.Catalog, rows, feed, signal);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(reading.Token);
        var reporter = new StreamReporter(context, stream, pump, source, board, cause => _ = FailAsync(cause));
        var reports = Task.WhenAll(reporter.RunAsync(ended.Token), reporter.ConfirmAsync(ended.Token));
        var watch = new SchemaWatch(context, source, Parts, Shapes, desk, signal);
        var resyncs = Task.WhenAll(WatchAsync(desk.RunAsync(ended.Token)), WatchAsync(watch.RunAsync(ended.Token)));
        Resyncs = desk;
        // When a writer has failed nobody makes room for what is being handed over.
        using var handing = CancellationTokenSource.CreateLinkedTokenSource(writing.Token);
        await using var failed = reading.Token.Register(() => { if (Failure is not null) handing.Cancel(); });
        try
        {
            await pump.RunAsync(reading.Token, handing.Token);
            // Two at once could tell Redis less than PostgreSQL.
            await reports;
            if (Failure is null) await FinishAsync(source, reporter);
        }
        finally
        {
            Resyncs = null;
            await ended.CancelAsync();
            await resyncs;
            await reports;
            await pump.LeaveAsync();
        }
    }

    /// <summary>The last words to PostgreSQL: everything that was read and could be written.</summary>
    async Task FinishAsync(Source source, StreamReporter reporter)
    {
        try
        {
            for (int worker = 0; worker < context.Output.Workers; worker++) await context.Output.DrainedAsync(worker, writing.Token);
            // What is confirmed now is not kept for rewindWindow.
            if (masterWatch is not null) await masterWatch.CheckAsync(writing.Token);
            await reporter.ConfirmOnceAsync(writing.Token);
            // Ending the stream cancels the walsender, which would then leave without having read this.
            await source.WaitUntilConfirmedAsync(context.Tracker.Confirmed, context.Time, writing.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException or SyncException)
        {
            // Out of time, or a writer failed: what is confirmed stays true, the rest comes again.
        }
    }

    /// <summary>Writes what was read, unless a writer failed: then what the others hold comes again as well.</summary>
    /// <exception cref="Exception">What made a writer end.</exception>
    async Task StopAsync()
    {
        await reading.CancelAsync();
        context.Output.Complete();
        if (Failure is not null) await writing.CancelAsync();
        await writers;
        await watching.CancelAsync();
        await master;
        watching.Dispose();
        reading.Dispose();
        writing.Dispose();
        if (Failure is { } cause) ExceptionDispatchInfo.Throw(cause);
    }
}

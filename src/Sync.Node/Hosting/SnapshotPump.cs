using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Mapping;
using Sync.Postgres.Snapshots;

namespace Sync.Node.Hosting;

/// <summary>
/// Takes the rows of a copy to the writers. Every row is an insert at a position before all changes, so nothing is recorded as progress; a
/// table is marked done once everything handed over for it is in Redis. Streaming begins only afterwards, so no row of the copy can come
/// behind a newer change.
/// </summary>
sealed class SnapshotPump : ISnapshotConsumer, IBatchOwner
{
    readonly PumpContext context;
    readonly FlowGate gate;
    readonly DateTime takenAtUtc;
    readonly Lsn floor;
    readonly Reader[] readers;
    readonly Dictionary<string, (long Begun, long ParkedBefore)> begun = [];

    public SnapshotPump(PumpContext context, FlowGate gate, Lsn floor, int readers)
    {
        this.context = context;
        this.gate = gate;
        this.floor = floor;
        takenAtUtc = context.Time.GetUtcNow().UtcDateTime;
        this.readers = [.. Enumerable.Range(0, readers).Select(_ => new Reader(context.Output.Workers))];
    }

    public bool OnRow(int worker, SnapshotTarget target, RowTuple row)
    {
        var reader = readers[worker];
        var table = TableOf(target);
        var change = new RowChange { Relation = target.Relation, Kind = ChangeKind.Insert, New = row, CommitTimeUtc = takenAtUtc };
        var outcome = (table.CopyPlan ?? table.Plan!).Map(change, reader.Mapped);
        if (outcome == MapOutcome.Nothing) return false;
        var key = reader.Mapped.Key(0);
        int writer = context.Router.WorkerOf(context.Router.LaneOf(reader.Mapped.KeyHash(0)));
        var batch = reader.Open[writer] ??= context.Pool.Rent();
        if (outcome == MapOutcome.Mapped)
            batch.Add(
                0, Position.None, reader.Mapped.CommandBytes(0), reader.Mapped.CommandCount(0), key, table.Index, ChangeKind.Insert, 0, reader.Mapped.Identity(0));
        else if (context.Config.Snapshot.AbortOnError)
            throw new SyncException(ExitCode.SnapshotAborted, $"The copy of {table.Name} was aborted (snapshot.abortOnError): {reader.Mapped.Error}.");
        else
            batch.AddPoison(0, Position.None, key, table.Index, ChangeKind.Insert, 0, reader.Mapped.Error);
        return batch.Bytes >= new BatchLimits(0).Bytes;
    }

    public async ValueTask FlushAsync(int worker, SnapshotTarget target, CancellationToken ct)
    {
        var open = readers[worker].Open;
        for (int writer = 0; writer < open.Length; writer++)
        {
            if (open[writer] is not { } batch) continue;
            open[writer] = null;
            await gate.EnterAsync(batch.Count, batch.Bytes, ct);
            await context.Output.SendAsync(writer, batch, this, ct);
        }
    }

    public async ValueTask TableEndedAsync(SnapshotOutcome outcome, CancellationToken ct)
    {
        var table = TableOf(outcome.Target);
        for (int writer = 0; writer < context.Output.Workers; writer++) await context.Output.DrainedAsync(writer, ct);
        if (outcome.Error is { } error)
        {
            table.CopyError = error.Message;
            context.Stats.SetError(error.Message);
            context.Stats.Noticed(table.Index, $"its copy failed: {error.Message}");
            context.Log.CopyFailed(table.Name, error.Message);
            return;
        }
        var (since, parkedBefore) = begun[table.Name];
        // What another node has parked is not counted here.
        if (context.Config.Snapshot.AbortOnError && context.Writers is null)
            await context.Output.ActAsync(async (session, token) => context.Stats.SetDeadLetters(await context.Writer.DeadLetters.CountAsync(session.Connection, token)), ct);
        if (context.Config.Snapshot.AbortOnError && context.Stats.DeadLetters > parkedBefore)
            throw new SyncException(ExitCode.SnapshotAborted,
                $"The copy of {table.Name} was aborted (snapshot.abortOnError): Redis refused a row ({context.Stats.LastError}); see actorsync dlq list.");
        table.Floor = floor;
        table.TellingPlan = table.CopyPlan is null ? null : table.Plan!.ForTelling();
        table.CopyPlan = null;
        await context.Output.ActAsync(
            (session, token) => context.Writer.Snapshots.MarkDoneAsync(session.Connection, table.Name, floor, outcome.Rows, token), ct);
        double seconds = context.Time.GetElapsedTime(since).TotalSeconds;
        context.Log.Copied(table.Name, outcome.Rows, seconds, outcome.Rows / Math.Max(0.001, seconds));
    }

    /// <summary>Marks every table as being copied, so that a crash from here on is seen at the next start. One that is outdated stays so: a copy that breaks off begins with emptying it again.</summary>
    public async Task BeginAsync(IReadOnlyList<SnapshotTarget> targets, CancellationToken ct)
    {
        foreach (var target in targets)
        {
            string table = target.Relation.FullName;
            begun[table] = (context.Time.GetTimestamp(), context.Stats.DeadLetters);
            if (TableOf(target).CopyPlan is not null) continue;
            await context.Output.ActAsync(
                (session, token) => context.Writer.Snapshots.MarkCopyingAsync(session.Connection, table, floor, 0, token), ct);
        }
    }

    public void Applied(int worker, Batch batch)
    {
        context.Writer.Count(batch);
        var (rows, bytes) = (batch.Count, batch.Bytes);
        context.Pool.Return(batch);
        Settled(worker, rows, bytes);
    }

    public void Settled(int worker, int rows, int bytes) => gate.Leave(rows, bytes);

    TableRuntime TableOf(SnapshotTarget target) => context.Tables.Find(target.Relation.Schema, target.Relation.Name)!;

    sealed class Reader(int writers)
    {
        public MappedChange Mapped { get; } = new();
        public Batch?[] Open { get; } = new Batch?[writers];
    }
}

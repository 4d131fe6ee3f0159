using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;
using Sync.Engine.Progress;

namespace Sync.Node.Hosting;

/// <summary>What an engine copies before it streams, and what it leaves to be copied while it does.</summary>
/// <param name="context">Tables, writers and log.</param>
/// <param name="marks">How far the copy of each table is.</param>
/// <param name="wasLost">Whether Redis had lost its content when the engine began.</param>
sealed class CopyStage(PumpContext context, Dictionary<string, SnapshotMark> marks, bool wasLost)
{
    /// <summary>Tables that are copied by a re-sync.</summary>
    public IReadOnlyList<TableRuntime> WhileStreaming { get; private set; } = [];

    /// <summary>Copies what has to be copied before anything streams. True when that was all there is to do.</summary>
    public async Task<bool> RunAsync(Source source, HostOptions options, StatusBoard board, CancellationToken cancellationToken)
    {
        var mode = options.SnapshotOnly ? SnapshotMode.OnetimeOnly : context.Config.Snapshot.Mode;
        if (mode == SnapshotMode.OnetimeOnly && context.Tables.All.FirstOrDefault(t => t.IsRefused && t.Name == options.OnlyTable) is { } asked)
            throw new SyncException(ExitCode.Schema, $"{asked.Name} can't be copied: {asked.Error}.");
        if (mode != SnapshotMode.Never)
        {
            if (mode == SnapshotMode.Onetime && options.OnlyTable is null)
                WhileStreaming = await CopyChoice.WhileStreamingAsync(context, source, marks, wasLost, cancellationToken);
            await EmptyStoppedAsync(cancellationToken);
            await new SnapshotRun(context, source, board).RunAsync(IsWanted, cancellationToken);
        }
        // Its transaction would hold back VACUUM for as long as we stream.
        await source.ReleaseSnapshotAsync();
        if (mode == SnapshotMode.OnetimeOnly && options.OnlyTable is null && context.Tables.All.FirstOrDefault(t => t.IsRefused) is { } refused)
            throw new SyncException(ExitCode.Schema, $"All tables were copied but those that are stopped: {refused.Name}: {refused.Error}.");
        return mode == SnapshotMode.OnetimeOnly;

        bool IsWanted(TableRuntime table) => options.OnlyTable is { } only ? table.Name == only : IsNotCopied(table) && !WhileStreaming.Contains(table);
    }

    /// <summary>
    /// A table that was stopped, or whose changes were lost, missed deletes: what was made of its rows goes before they are copied anew. Of a copy
    /// that broke off, what it has counted goes: nothing but the copy
    /// has added to it, because changes of a table come behind its copy.
    /// </summary>
    async Task EmptyStoppedAsync(CancellationToken cancellationToken)
    {
        TableRuntime[] emptied =
        [
            .. context.Tables.All.Where(t => t.Plan is not null && !t.IsStopped && !WhileStreaming.Contains(t)
                && (StateOf(t) is SnapshotState.Stopped or SnapshotState.Outdated || KeysToEmpty(t).Count > 0)),
        ];
        if (emptied.Length > 0) await context.Mends.StandStillAsync(cancellationToken);
        foreach (var table in emptied)
        {
            if (StateOf(table) == SnapshotState.Outdated) table.CopyPlan = table.Plan!.ForRecount();
            await context.Output.ActAsync(
                (session, ct) => TruncateSweep.RunAsync(session, table, KeysToEmpty(table), context, "is copied anew", ct), cancellationToken);
        }
    }

    IReadOnlyList<KeyPattern> KeysToEmpty(TableRuntime table) => StateOf(table) switch
    {
        SnapshotState.Stopped => table.Plan!.Keys,
        SnapshotState.Outdated => table.Plan!.CountedKeys,
        SnapshotState.Copying => table.Plan!.AddedKeys,
        _ => [],
    };

    bool IsNotCopied(TableRuntime table) => !table.IsStopped && StateOf(table) != SnapshotState.Done;

    /// <summary>Null when nothing of the table was copied.</summary>
    SnapshotState? StateOf(TableRuntime table) => marks.TryGetValue(table.Name, out var mark) ? mark.State : null;
}

using Sync.Engine.Progress;
using Sync.Node.Resync;
using Sync.Node.Verification;

namespace Sync.Node.Hosting;

/// <summary>
/// Which tables are copied while the stream goes on, by a re-sync: those that come to a slot that is there already, or whose content Redis has
/// lost, and of which everything follows from the rows. What is counted or told needs each row just once, and so a copy with the stream standing
/// still; the first copy of all tables is one, too, because it is faster.
/// </summary>
static class CopyChoice
{
    public static async Task<IReadOnlyList<TableRuntime>> WhileStreamingAsync(
        PumpContext context, Source source, IReadOnlyDictionary<string, SnapshotMark> marks, bool wasLost, CancellationToken cancellationToken)
    {
        // The first start: nobody reads yet, and standing still is faster.
        if (marks.Count == 0 && !wasLost) return [];
        // A copy that broke off goes on as it began.
        TableRuntime[] missing = [.. context.Tables.All.Where(t => t.Plan is not null && !t.IsStopped && !(marks.TryGetValue(t.Name, out var mark) && mark.State is not (SnapshotState.Stopped or SnapshotState.Outdated)))];
        if (missing.Length == 0 || source.Slot.Created || context.Config.Snapshot.AbortOnError || context.Config.Redis.IsCluster || source.Facts.VersionNumber < ResyncTable.FirstVersion) return [];
        var chosen = new List<TableRuntime>();
        foreach (var (config, parts, _, _) in await TableOpener.OpenAllAsync(context.Config, source.Primary, cancellationToken))
        {
            if (parts is null) continue;
            await using (parts)
            {
                if (missing.FirstOrDefault(t => t.Name == config.FullName) is not { } table || ResyncTable.Obstacle(parts) is not null || parts.Plan.NotVerifiable.Count > 0) continue;
                // What an earlier copy left of rows that are gone has to be found.
                if (!marks.ContainsKey(table.Name) || parts.Plan.NotSearched.Count == 0) chosen.Add(table);
            }
        }
        return chosen;
    }
}

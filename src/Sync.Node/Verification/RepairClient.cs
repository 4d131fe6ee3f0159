using System.Text;
using System.Text.Json;
using Sync.Contracts;
using Sync.Engine.Verification;
using Sync.Node.Commands;

namespace Sync.Node.Verification;

/// <param name="Key">A key in Redis.</param>
/// <param name="Row">The row that would have to exist for it, as its primary key.</param>
sealed record RepairRemoval(string Key, IReadOnlyList<string> Row);

/// <param name="Table">schema.table.</param>
/// <param name="Rows">Rows to read again and to write, or to take away when they are gone; each as its primary key in PostgreSQL's text.</param>
/// <param name="Remove">Keys to remove if their row is really gone.</param>
sealed record RepairRequest(string Table, IReadOnlyList<IReadOnlyList<string>> Rows, IReadOnlyList<RepairRemoval> Remove);

/// <summary>Asks the running node to mend rows; it writes them through its ordinary ordered path (docs/operating.md, POST /api/repair).</summary>
sealed class RepairClient(NodeClient node)
{
    const int AtOnce = 500;

    /// <exception cref="SyncException">Nobody answers, or the node refuses.</exception>
    public async Task RunAsync(string table, IReadOnlyList<Suspect> drift, CancellationToken cancellationToken)
    {
        foreach (var part in drift.Chunk(AtOnce))
        {
            using var answer = await node.TryPostAsync<JsonDocument>("/api/repair", Request(table, part), cancellationToken)
                ?? throw new SyncException(ExitCode.CheckFailed,
                    $"The node at {node.Url.GetLeftPart(UriPartial.Authority)} is of a version that can't repair: update it, or copy the table again with actorsync snapshot --table {table}.");
        }
    }

    /// <summary>
    /// A key whose row is gone is removed as such. A part of a key that rows share must not take the others' with it, so its row is named
    /// instead, whose state then goes.
    /// </summary>
    public static RepairRequest Request(string table, IReadOnlyList<Suspect> drift)
    {
        var removals = drift.Where(s => s.Place is { Part: null, Probe.Kind: PlaceKind.Key } && s.Seen.Count == 0)
            .Select(s => new RepairRemoval(Encoding.UTF8.GetString(s.Place!.Key), s.Rows[0])).ToList();
        var rows = drift.Where(s => s.Place is not { Part: null, Probe.Kind: PlaceKind.Key } || s.Seen.Count > 0)
            .SelectMany(s => s.Rows).DistinctBy(key => string.Join('\0', key)).ToList();
        return new RepairRequest(table, rows, removals);
    }
}

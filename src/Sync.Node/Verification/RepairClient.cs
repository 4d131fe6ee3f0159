using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Commands;
using Sync.Node.Resync;

namespace Sync.Node.Verification;

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

    public static RepairRequest Request(string table, IReadOnlyList<Suspect> drift) => new(table,
        [.. drift.Where(s => s.Place is null).Select(s => s.Rows[0])],
        [.. drift.Select(s => s.Place).OfType<FoundPlace>().Select(p => new RepairPlace(p.KeyText, p.PartText))]);
}

using System.Globalization;
using Sync.Actors.Inspection;
using Sync.Node.Commands;
using Sync.Node.Commands.Validation;
using Sync.Node.Http;

namespace Sync.Node.Cluster;

/// <summary>What <c>pbm actorsync …</c> prints: the same as <c>/api/cluster</c> and <c>/api/cluster/lanes</c> have, in lines.</summary>
/// <param name="desk">Answers; throws a sentence while this node is no member.</param>
/// <param name="deadLetters">Dead letters when they were last counted.</param>
sealed class PetabridgeText(Func<ClusterDesk> desk, Func<long> deadLetters) : IPetabridgeText
{
    public async Task<IReadOnlyList<string>> LagAsync(CancellationToken cancellationToken) => [.. Lag(await desk().LookAsync(deadLetters(), cancellationToken))];

    public async Task<IReadOnlyList<string>> LanesAsync(CancellationToken cancellationToken) => [.. Lanes(await desk().LookAsync(deadLetters(), cancellationToken))];

    public async Task<IReadOnlyList<string>> CircuitsAsync(CancellationToken cancellationToken) => [.. Circuits(await desk().LanesAsync(cancellationToken))];

    public async Task<IReadOnlyList<string>> DeadLettersAsync(CancellationToken cancellationToken) => [.. DeadLetters(deadLetters(), await desk().LanesAsync(cancellationToken))];

    internal static IEnumerable<string> Lag(ClusterView view)
    {
        yield return $"all: {Waiting(view.RowsWaiting, view.BytesWaiting, view.LagMs)}";
        foreach (var member in view.Members) yield return $"{member.Address}: {Waiting(member.RowsWaiting, member.BytesWaiting, member.LagMs)}";
    }

    internal static IEnumerable<string> Lanes(ClusterView view)
    {
        if (!view.LanesKnown) yield return "The nodes did not say in time which lanes they have; ask again.";
        foreach (var member in view.Members) yield return $"{member.Address}{(member.Reads ? " (reader)" : "")}: {member.Lanes.Count} lanes{(member.Lanes.Count > 0 ? ": " + ClusterText.Ranges(member.Lanes) : "")}";
    }

    internal static IEnumerable<string> Circuits(LanesView view)
    {
        var open = view.Lanes.Where(lane => lane.CircuitOpen).ToList();
        if (open.Count == 0) yield return "Redis refuses no lane.";
        foreach (var lane in open) yield return $"lane {lane.Lane} on {lane.Node}: {Waiting(lane.RowsWaiting, lane.BytesWaiting, lane.LagMs)}";
        if (view.SilentLanes.Count > 0) yield return $"no answer of {ClusterText.Ranges(view.SilentLanes)}";
    }

    internal static IEnumerable<string> DeadLetters(long count, LanesView view)
    {
        yield return $"{count} dead letters of {view.Lanes.Sum(lane => lane.ParkedKeys)} keys; see actorsync dlq list.";
        foreach (var lane in view.Lanes.Where(lane => lane.ParkedKeys > 0)) yield return $"lane {lane.Lane} on {lane.Node}: {lane.ParkedKeys} keys";
    }

    static string Waiting(long rows, long bytes, double lagMs) => string.Create(CultureInfo.InvariantCulture, $"{rows:N0} rows, {PostgresChecks.Bytes(bytes)}, lag {lagMs:F1} ms");
}

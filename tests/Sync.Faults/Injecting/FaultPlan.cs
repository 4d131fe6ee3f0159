namespace Sync.Faults.Injecting;

/// <summary>What can go wrong. The first word says to whom.</summary>
enum FaultKind
{
    NodeKill, StandbyKill, NodeFreeze, NodePause, NodeRestart, NodeClock,
    RedisKill, RedisFreeze, RedisDiskFull, RedisOutOfMemory, RedisClientPause,
    PostgresKill, PostgresImmediate, PostgresFreeze, PostgresTerminate,
    WireCut, WireHalf, WireSplit, WireSlow, WireHole, WireRepliesLost,
    /// <summary>Not drawn: a phase of its own, because what Redis refuses just before a connection is lost can't be known for sure.</summary>
    PoisonKey,
    // Of a cluster only; behind the others, so that the plans of single hosts stay what they are.
    NodeSplit, NodeSplitOneWay, NodeRolling,
}

/// <param name="Kind">What happens.</param>
/// <param name="After">Quiet time before it.</param>
/// <param name="Lasts">How long it stays.</param>
/// <param name="Variant">Decides what the kind leaves open: which wire, how it ends, how many workers.</param>
/// <param name="Companion">A fault of another party, which begins while this one lasts.</param>
sealed record Fault(FaultKind Kind, TimeSpan After, TimeSpan Lasts, int Variant, Fault? Companion = null);

/// <summary>
/// The faults of a seed, one behind the other. Kinds come from a shuffled pack, so that every kind turns up early and equally often; the same seed gives the
/// same plan on every machine, however far a run gets in it.
/// </summary>
static class FaultPlan
{
    /// <summary>The kinds that are drawn. The nodes of a cluster are the program itself, whose clock nobody sets.</summary>
    public static IEnumerable<FaultKind> Kinds(bool cluster) =>
        Enum.GetValues<FaultKind>().Where(k => k != FaultKind.PoisonKey && (cluster ? k != FaultKind.NodeClock : k < FaultKind.PoisonKey));

    /// <param name="seed">Decides all of it.</param>
    /// <param name="only">The kinds to draw from; none: all.</param>
    /// <param name="cluster">Whether it is for a cluster, which takes its time to find itself again: a node that is lost is missed for some seconds.</param>
    public static IEnumerable<Fault> Draw(int seed, IReadOnlyList<FaultKind> only, bool cluster = false)
    {
        var random = new Random(seed);
        FaultKind[] pack = only.Count > 0 ? [.. only] : [.. Kinds(cluster)];
        double longestQuiet = cluster ? 7 : 3.5;
        while (true)
        {
            random.Shuffle(pack);
            foreach (var kind in pack)
            {
                var companion = random.Next(4) == 0 ? One(random, pack[random.Next(pack.Length)], 0.8) : null;
                var fault = One(random, kind, longestQuiet);
                yield return companion is not null && MayMeet(kind, companion.Kind) ? fault with { Companion = companion } : fault;
            }
        }
    }

    static Fault One(Random random, FaultKind kind, double longestQuiet) =>
        new(kind, TimeSpan.FromSeconds(0.1 + (random.NextDouble() * longestQuiet)), TimeSpan.FromSeconds(0.2 + (random.NextDouble() * random.NextDouble() * 6)), random.Next(1 << 20));

    /// <summary>Two faults of one party would undo each other's end, and a Redis without room must not also lose its process.</summary>
    static bool MayMeet(FaultKind one, FaultKind other) => Party(one) != Party(other) && one != FaultKind.RedisDiskFull && other != FaultKind.RedisDiskFull;

    static char Party(FaultKind kind) => IsNode(kind) ? 'N' : kind.ToString()[0];

    /// <summary>Whether it happens to a node, or to the network between nodes.</summary>
    public static bool IsNode(FaultKind kind) => kind == FaultKind.StandbyKill || kind.ToString()[0] == 'N';
}

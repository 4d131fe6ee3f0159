using System.Text;
using Sync.Contracts;
using Sync.Engine.Progress;

namespace Sync.Redis;

/// <summary>
/// The keys ActorSync keeps for itself, all of one slot. The braces are a hash tag (Redis docs, "Redis cluster specification",
/// "Hash tags"), so that they can be changed together in a cluster as well.
/// </summary>
public sealed class RedisKeys(string slot)
{
    /// <summary>What all keys of ActorSync, of every slot, begin with.</summary>
    public const string Prefix = "actorsync:";

    public string Progress { get; } = $"{Prefix}{{{slot}}}:progress";

    /// <summary>The same as bytes, for the batch path.</summary>
    public ReadOnlyMemory<byte> ProgressBytes { get; } = Encoding.UTF8.GetBytes($"{Prefix}{{{slot}}}:progress");

    /// <summary>The token of the incarnation that may write; see docs/protocols/redis-sink.md, "Ownership".</summary>
    public string Owner { get; } = $"{Prefix}{{{slot}}}:owner";

    public string Snapshot { get; } = $"{Prefix}{{{slot}}}:snapshot";

    /// <summary>The stream of dead letters.</summary>
    public string DeadLetters { get; } = $"{Prefix}{{{slot}}}:dlq";

    /// <summary>Where the dead letters of a history that was abandoned are kept: a stream, named after the log that is followed since.</summary>
    public string DeadLettersAside(LogHistory log, Lsn end) => $"{DeadLetters}:before:{log.Timeline}:{end}";

    /// <summary>A hash: how many dead letters each ordering key has.</summary>
    public string ParkedKeys { get; } = $"{Prefix}{{{slot}}}:dlq:keys";

    /// <summary>A hash: what became of retries, by id of the dead letter.</summary>
    public string Retries { get; } = $"{Prefix}{{{slot}}}:dlq:retries";

    /// <summary>A hash: how far the re-sync of each table is.</summary>
    public string Resync { get; } = $"{Prefix}{{{slot}}}:resync";

    /// <summary>A hash: the shape of each table that Redis was filled from.</summary>
    public string Shapes { get; } = $"{Prefix}{{{slot}}}:shapes";

    /// <summary>A hash: what lanes have mended for a message of a re-sync, until the reader has counted it; <c>&lt;lsn&gt;:&lt;what&gt;</c> = how much.</summary>
    public string Mends { get; } = $"{Prefix}{{{slot}}}:mends";

    /// <summary>A hash: lane = <c>&lt;incarnation&gt; &lt;claim&gt;</c> of the node of a cluster that owns it.</summary>
    public string Lanes { get; } = $"{Prefix}{{{slot}}}:lanes";

    /// <summary>A hash: <c>claims</c> and <c>epochs</c>, the last numbers given; <c>epoch</c> <c>history</c>, the reader that begun last and the Redis it began with; <c>since</c>, the reader from which on takeovers count.</summary>
    public string LaneNumbers { get; } = $"{Prefix}{{{slot}}}:lanes:numbers";

    /// <summary>The token of one node of a cluster; see docs/protocols/redis-sink.md, "Ownership of lanes".</summary>
    public string OwnerOf(string incarnation) => $"{Owner}:{incarnation}";

    /// <summary>For which of its starts a server has begun a new append-only file; shared by all slots, because the file is.</summary>
    public const string AppendOnly = $"{Prefix}aof";

    /// <summary>The same for a master of a Cluster, in a hash slot that it serves.</summary>
    public static string AppendOnlyOf(int hashSlot) => $"{AppendOnly}:{{{Cluster.HashSlots.TagOf(hashSlot)}}}";

    /// <summary>In a Cluster, the progress of one hash slot: a hash in that very slot.</summary>
    public string ProgressOf(int hashSlot) => $"{Prefix}{slot}:{{{Cluster.HashSlots.TagOf(hashSlot)}}}:progress";
}

using System.Globalization;

namespace Sync.Redis.Connections;

/// <summary>What a server says of itself (Redis docs, "INFO").</summary>
/// <param name="Version">redis_version.</param>
/// <param name="RunId">run_id: another one means the process was restarted or is another server.</param>
/// <param name="Role">master or slave, as INFO spells them.</param>
/// <param name="IsLoading">Whether it still loads its data set and refuses commands.</param>
/// <param name="IsCluster">Whether it is a node of a Redis Cluster.</param>
/// <param name="EvictionPolicy">maxmemory_policy; anything but noeviction may drop keys that were written. Empty when not told.</param>
/// <param name="MaxMemoryBytes">maxmemory; 0 for no limit.</param>
public sealed record RedisServerFacts(
    Version Version, string RunId, string Role, bool IsLoading, bool IsCluster, string EvictionPolicy, long MaxMemoryBytes)
{
    /// <summary>The oldest version that is good enough: ACLs (AUTH with a user) came with it.</summary>
    public static readonly Version Oldest = new(6, 0);

    /// <summary>
    /// master_replid: the history that the data belongs to (Redis docs, "Redis replication", "Replication ID explained"). A replica that
    /// is promoted begins another, so a server that was demoted and promoted again shows it here, though its run id is the same.
    /// </summary>
    public string ReplicationId { get; init; } = "";

    /// <summary>As long as this stays the same, the server still holds what it acknowledged, unless somebody deleted it.</summary>
    public string History => $"{RunId}/{ReplicationId}";

    /// <summary>Whether written keys may disappear by themselves when memory is short.</summary>
    public bool EvictsKeys => MaxMemoryBytes > 0 && EvictionPolicy.Length > 0 && EvictionPolicy != "noeviction";

    /// <summary>Reads INFO's text. What is missing is empty, false or 0; a version that can't be read is 0.0.</summary>
    public static RedisServerFacts Parse(string info)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in info.AsSpan().EnumerateLines())
        {
            int colon = line.IndexOf(':');
            if (colon > 0) fields[line[..colon].ToString()] = line[(colon + 1)..].ToString();
        }
        string Field(string name) => fields.GetValueOrDefault(name, "");
        return new RedisServerFacts(
            ParseVersion(Field("redis_version")), Field("run_id"), Field("role"), Field("loading") == "1", Field("cluster_enabled") == "1",
            Field("maxmemory_policy"), long.TryParse(Field("maxmemory"), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) ? bytes : 0)
        {
            ReplicationId = Field("master_replid"),
        };
    }

    static Version ParseVersion(string text)
    {
        int end = text.AsSpan().IndexOfAnyExcept("0123456789.");
        return Version.TryParse(end < 0 ? text : text[..end], out var version) ? version : new Version(0, 0);
    }
}

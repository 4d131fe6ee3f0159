namespace Sync.Redis;

/// <summary>A command that ActorSync sends on its own account.</summary>
/// <param name="Arguments">The name and the arguments, with values that stand for any.</param>
/// <param name="Purpose">What can't be done without it; null when nothing can.</param>
public sealed record OwnCommand(string[] Arguments, string? Purpose = null);

/// <summary>What ActorSync needs of Redis besides the commands of the mapping: to ask beforehand whether it may.</summary>
public static class OwnCommands
{
    /// <summary>Glob of all keys that ActorSync keeps for itself.</summary>
    public const string Keys = $"{RedisKeys.Prefix}*";

    /// <param name="keys">Of the slot.</param>
    /// <param name="database">The database that is selected.</param>
    /// <param name="isCluster">Whether it writes to a Redis Cluster.</param>
    /// <param name="usesScripts">Whether it can't do without scripts: for the second client, and for several nodes.</param>
    public static IReadOnlyList<OwnCommand> Of(RedisKeys keys, int database, bool isCluster, bool usesScripts)
    {
        List<OwnCommand> all =
        [
            new(["INFO"]), new(["MULTI"]), new(["EXEC"]), new(["WATCH", keys.Owner]), new(["UNWATCH"]), new(["GET", keys.Owner]),
            new(["SET", keys.Owner, "1"]), new(["DEL", keys.Owner]),
            new(["HSET", keys.Progress, "1", "1"]), new(["HGET", keys.Progress, "1"]), new(["HMGET", keys.Progress, "1"]),
            new(["HGETALL", keys.Progress]), new(["HDEL", keys.Progress, "1"]),
            new(["HSCAN", keys.ParkedKeys, "0"]), new(["HINCRBY", keys.ParkedKeys, "1", "1"]),
            new(["XADD", keys.DeadLetters, "*", "1", "1"]), new(["XLEN", keys.DeadLetters]), new(["XRANGE", keys.DeadLetters, "-", "+"]),
            new(["SET", RedisKeys.AppendOnly, "1"]),
            new(["EVAL", "return 1", "1", keys.DeadLetters], usesScripts ? null : "retry and drop dead letters"),
            new(["XDEL", keys.DeadLetters, "1-1"], "retry and drop dead letters"),
            new(["SCAN", "0"], "find keys that no row leads to, after a TRUNCATE, in verify and in a re-sync"),
            new(["UNLINK", keys.Progress], "remove keys that no row leads to"),
            new(["TYPE", keys.Progress], "tell what Redis refused when its replies were lost"),
            new(["CLIENT", "ID"], "end its own lost connection before another one writes"),
            new(["CLIENT", "KILL", "ID", "1"], "end its own lost connection before another one writes"),
            new(["CONFIG", "GET", "proto-max-bulk-len"], "know beforehand how large a value may be"),
            new(["BGREWRITEAOF"], "begin a new append-only file when Redis was started again"),
        ];
        if (database != 0) all.Add(new(["SELECT", "1"]));
        if (isCluster) all.AddRange([new(["CLUSTER", "SLOTS"]), new(["ASKING"]), new(["HSET", keys.ProgressOf(0), "1", "1"])]);
        return all;
    }
}

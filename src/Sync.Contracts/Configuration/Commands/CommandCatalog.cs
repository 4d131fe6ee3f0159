namespace Sync.Contracts.Configuration.Commands;

public enum CommandNature { Write, AddMember, Accumulate, Remove, Expire, Publish }

public sealed record CommandInfo(string Name, CommandNature Nature)
{
    public bool IsKey(int argument) => Name switch
    {
        "MSET" => argument % 2 == 1,
        "DEL" or "UNLINK" => argument >= 1,
        "PUBLISH" => false,
        _ => argument == 1,
    };
}

public static class CommandCatalog
{
    static readonly Dictionary<string, CommandInfo> All = new(StringComparer.OrdinalIgnoreCase);

    static CommandCatalog()
    {
        void Put(CommandNature nature, string names) { foreach (string n in names.Split(' ')) All[n] = new CommandInfo(n, nature); }
        Put(CommandNature.Write, "SET SETEX MSET HSET SETNX JSON.SET JSON.MERGE");
        Put(CommandNature.AddMember, "SADD ZADD GEOADD");
        Put(CommandNature.Accumulate, "INCR DECR INCRBY DECRBY APPEND HINCRBY HINCRBYFLOAT INCRBYFLOAT ZINCRBY XADD LPUSH RPUSH");
        Put(CommandNature.Remove, "DEL UNLINK HDEL SREM ZREM XDEL JSON.DEL LREM LTRIM GETDEL XTRIM");
        Put(CommandNature.Expire, "EXPIRE PEXPIRE PERSIST");
        Put(CommandNature.Publish, "PUBLISH");
    }

    public static bool TryGet(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CommandInfo? info) => All.TryGetValue(name, out info);

    public static string Nearest(string name) => name;
}

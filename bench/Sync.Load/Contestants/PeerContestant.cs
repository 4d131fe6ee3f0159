using System.Diagnostics;
using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <summary>A program as a user would write it after the usual recipe, from bench/peers. What it needs comes there by <c>bench/peers/install</c>.</summary>
abstract class PeerContestant : Contestant
{
    protected static readonly string Libraries = Repository.At("artifacts", "peers");

    // Values look as the language renders them, so only their keys are compared.
    public override ContentCheck Check(Workload workload) => ContentCheck.Keys;

    public override string? LeftOut(Stage stage, Workload workload) => workload.Simple is null ? "the recipe is for one table" : null;

    /// <summary>What every peer is told by its environment.</summary>
    public static ProcessStartInfo With(ProcessStartInfo start, Stage stage, Workload workload, string slot)
    {
        var table = workload.Simple!;
        start.Environment["PGPORT"] = $"{stage.Postgres.Port}";
        start.Environment["REDISPORT"] = $"{stage.Redis.Port}";
        start.Environment["SLOT"] = slot;
        start.Environment["PUB"] = workload.Publication;
        start.Environment["TABLE"] = table.Name;
        start.Environment["AS_JSON"] = table.IsJson ? "1" : "";
        start.Environment["ROWS"] = $"{workload.Rows}";
        return start;
    }
}

/// <summary>Python: psycopg2, wal2json, pipelines of 1000 with redis-py.</summary>
sealed class PythonContestant : PeerContestant
{
    static readonly string interpreter = Path.Combine(Libraries, "python3");

    public override string Name => "Python";

    public override string Plugin => "wal2json";

    public override string? LeftOut(Stage stage, Workload workload) => base.LeftOut(stage, workload)
        ?? (HasLibraries ? null : "psycopg2 and redis-py could not be had")
        ?? (stage.HasWal2Json ? null : "PostgreSQL's plugin wal2json could not be had");

    /// <summary>Whether its libraries are there.</summary>
    public static bool HasLibraries => File.Exists(interpreter);

    public override ProcessStartInfo Start(Drain drain) => With(Script("drain.py"), drain.Stage, drain.Workload, drain.Slot);

    /// <summary>Runs a script of bench/peers.</summary>
    public static ProcessStartInfo Script(string name)
    {
        var start = CommandLine(interpreter, Repository.At("bench", "peers", name));
        start.Environment["PYTHONPATH"] = Path.Combine(Libraries, "python");
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        return start;
    }
}

/// <summary>Node.js: pg-logical-replication with pgoutput, pipelines of 1000 with ioredis.</summary>
sealed class NodeJsContestant : PeerContestant
{
    static readonly string packages = Path.Combine(Libraries, "node", "node_modules");

    public override string Name => "Node.js";

    public override string? LeftOut(Stage stage, Workload workload) => base.LeftOut(stage, workload)
        ?? (Directory.Exists(Path.Combine(packages, "ioredis")) ? null : "pg-logical-replication and ioredis could not be had");

    public override ProcessStartInfo Start(Drain drain)
    {
        var start = CommandLine("node", Repository.At("bench", "peers", "drain.js"));
        start.Environment["NODE_PATH"] = packages;
        return With(start, drain.Stage, drain.Workload, drain.Slot);
    }
}

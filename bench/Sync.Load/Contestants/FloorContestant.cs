using System.Diagnostics;
using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <summary>The floor: the least work that moves these rows, without any feature. See bench/Sync.Limit.</summary>
sealed class FloorContestant : Contestant
{
    public override string Name => "floor";

    // Where rows become JSON it still writes hashes: the same values without the rendering.
    public override ContentCheck Check(Workload workload) => workload.Simple is { IsJson: false } ? ContentCheck.Values : ContentCheck.Keys;

    public override string? LeftOut(Stage stage, Workload workload) => workload.Simple is null ? "it knows one table and no mapping" : null;

    public override ProcessStartInfo Start(Drain drain)
    {
        // Built beside this program: bench/Sync.Load/bin/Release/net10.0 and bench/Sync.Limit/bin/Release/net10.0.
        string dll = Path.Combine(AppContext.BaseDirectory.Replace("Sync.Load", "Sync.Limit", StringComparison.Ordinal), "Sync.Limit.dll");
        var start = CommandLine("dotnet", dll);
        start.Environment["PGPORT"] = $"{drain.Stage.Postgres.Port}";
        start.Environment["REDISPORT"] = $"{drain.Stage.Redis.Port}";
        start.Environment["SLOT"] = drain.Slot;
        start.Environment["PUB"] = drain.Workload.Publication;
        start.Environment["ROWS"] = $"{drain.Workload.Rows}";
        return start;
    }
}

using System.Diagnostics;
using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <summary>The floor: the least work that moves these rows, without any feature. See bench/Sync.Limit.</summary>
sealed class FloorContestant : Contestant
{
    public override string Name => "floor";

    public override ProcessStartInfo Start(Stage stage, Workload workload, string slot, string folder)
    {
        // Built beside this program: bench/Sync.Load/bin/Release/net10.0 and bench/Sync.Limit/bin/Release/net10.0.
        string dll = Path.Combine(AppContext.BaseDirectory.Replace("Sync.Load", "Sync.Limit", StringComparison.Ordinal), "Sync.Limit.dll");
        var start = Dotnet(dll);
        start.Environment["PGPORT"] = $"{stage.Postgres.Port}";
        start.Environment["REDISPORT"] = $"{stage.Redis.Port}";
        start.Environment["SLOT"] = slot;
        start.Environment["PUB"] = workload.Publication;
        start.Environment["ROWS"] = $"{workload.Rows}";
        return start;
    }
}

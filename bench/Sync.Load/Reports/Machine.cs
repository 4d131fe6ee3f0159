using System.Globalization;

namespace Sync.Load.Reports;

/// <summary>The shape of the machine, without anything that names it.</summary>
sealed record Machine(int Cores, double MemoryGb, string DotNet, string Postgres, string Redis, double LoadBefore)
{
    public static async Task<Machine> DescribeAsync(Stage stage)
    {
        string memory = File.ReadLines("/proc/meminfo").First(l => l.StartsWith("MemTotal:", StringComparison.Ordinal));
        double gb = double.Parse(memory.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024 / 1024;
        string info = (string)(await stage.RedisClient.CommandAsync("INFO", "server"))!;
        string postgres = await stage.Postgres.ScalarAsync<string>("select split_part(current_setting('server_version'), ' ', 1)") ?? "?";
        return new Machine(Environment.ProcessorCount, Math.Round(gb), Environment.Version.ToString(), postgres, Stage.InfoLine(info, "redis_version"), LoadNow());
    }

    /// <summary>Threads that ran or wanted to, on average over the last minute.</summary>
    public static double LoadNow() => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);

    public string ToLine() =>
        $"{Cores} cores, {MemoryGb:F0} GB, .NET {DotNet}, PostgreSQL {Postgres}, Redis {Redis}; load average before the run {LoadBefore:F1}";
}

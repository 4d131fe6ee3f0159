using Sync.Load.Latency;

namespace Sync.Load.Cluster;

/// <param name="IsHot">Whether the changes beside them were all of one key.</param>
/// <param name="Others">What was measured of the others.</param>
sealed record HotWaitResult(bool IsHot, LatencyResult Others);

/// <summary>What changes of other keys wait while as many again are made beside them, all of one key or of ever other ones.</summary>
static class HotWaitRun
{
    const int rate = 2000, beside = 2000, tables = 8, keys = 50_000, stride = 611_953;
    const string table = "company";
    static readonly TimeSpan patience = TimeSpan.FromMinutes(2), lead = TimeSpan.FromSeconds(10);

    public static async Task<HotWaitResult> MeasureAsync(Stage stage, bool isHot, int nodeCount, TimeSpan duration)
    {
        using var deadline = new CancellationTokenSource(duration + patience);
        var scenario = new LatencyScenario(rate, tables, BusyCore: false);
        var pulse = await PulseTables.CreateAsync(stage, scenario);
        await stage.ExecuteAsync($"create table {table}(id int primary key, number int not null) with (fillfactor = 50)");
        await stage.ExecuteAsync($"insert into {table} select g, 0 from generate_series(0, {keys}) g");
        await stage.ExecuteAsync($"alter publication {PulseTables.Publication} add table {table}");
        string mapping = $"{pulse.Mapping}\n- public.{table}: {{ update: {{ commands: [[\"HSET\", \"{table}:{{id}}\", \"{{pairs:*}}\"]] }} }}";
        var (started, lease) = await ClusterNodes.StartAsync(stage, new ClusterSource(PulseTables.Publication, PulseTables.Slot, mapping), nodeCount, new Dictionary<string, string>(), deadline.Token);
        await using var nodes = started;
        await lease.DisposeAsync();

        var company = ChangeAsync(stage, isHot, lead + duration);
        // All lanes are taken and most code is compiled before the clock begins.
        await Task.Delay(lead, deadline.Token);
        var others = await LatencyRun.ClockAsync(stage, scenario, duration, deadline.Token);
        await company;
        await nodes.StopAsync(deadline.Token);
        await pulse.DropAsync();
        await stage.ExecuteAsync($"drop table {table}");
        return new HotWaitResult(isHot, others);
    }

    /// <summary>One change a transaction, at times fixed beforehand.</summary>
    static Task ChangeAsync(Stage stage, bool isHot, TimeSpan duration) => stage.ExecuteAsync($"""
        do $$ declare began timestamptz := clock_timestamp(); begin for i in 1..{(int)(beside * duration.TotalSeconds)} loop
          update {table} set number = number + 1 where id = {(isHot ? "0" : $"1+(i::bigint*{stride})%{keys}")};
          commit;
          perform pg_sleep(greatest(0, i / {beside}.0 - extract(epoch from clock_timestamp() - began)));
        end loop; end $$
        """);
}

namespace Sync.Load.Latency;

/// <summary>The tables whose rows tell of themselves in an empty Redis, their publication and a slot.</summary>
sealed class PulseTables
{
    public const string Slot = "pulse", Publication = "pulse_pub";

    readonly Stage stage;
    readonly string[] tables;

    PulseTables(Stage stage, string[] tables) => (this.stage, this.tables) = (stage, tables);

    /// <summary>The <c>tables:</c> of a configuration. The message is sent in the transaction that writes the row, and arrives when both are visible.</summary>
    public string Mapping => string.Join('\n', tables.Select((table, i) =>
        $$"""- public.{{table}}: { update: { commands: [["SET", "{{table}}:{id}", "{beat}"], ["PUBLISH", "{{LatencyScenario.Channel}}", "{{i}}:{beat}"]] } }"""));

    public static async Task<PulseTables> CreateAsync(Stage stage, LatencyScenario scenario)
    {
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        string[] tables = [.. Enumerable.Range(0, scenario.Tables).Select(LatencyScenario.Table)];
        foreach (string table in tables)
        {
            await stage.ExecuteAsync($"create table {table}(id int primary key, beat bigint not null)");
            await stage.ExecuteAsync($"insert into {table} select g, 0 from generate_series(1, {scenario.RowsPerTransaction}) g");
        }
        await stage.ExecuteAsync($"create publication {Publication} for table {string.Join(", ", tables)}");
        await stage.ExecuteAsync($"select pg_create_logical_replication_slot('{Slot}', 'pgoutput')");
        return new PulseTables(stage, tables);
    }

    /// <summary>Removes all of it, when nobody follows any more.</summary>
    public async Task DropAsync()
    {
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{Slot}')");
        await stage.ExecuteAsync($"drop publication {Publication}");
        await stage.ExecuteAsync($"drop table {string.Join(", ", tables)}");
    }
}

using System.Globalization;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;
using Sync.Postgres.Publication;
using Sync.Postgres.Slots;

namespace Sync.Node.Commands.Validation;

/// <summary>
/// Compares the configuration with a live PostgreSQL: the server, the role, every table, publication and slot. Changes nothing; says
/// what <c>run</c> would. Goes on after an error wherever the rest can still be judged.
/// </summary>
/// <param name="config">What to check.</param>
/// <param name="broken">Tables whose templates are wrong already; they are not compiled again.</param>
/// <param name="report">Takes the findings.</param>
/// <param name="time">Clock.</param>
sealed class PostgresChecks(SyncConfig config, IReadOnlySet<TableConfig> broken, CheckReport report, TimeProvider time)
{
    readonly ReplicationOptions repl = config.Postgres.Repl;

    /// <returns>The cluster's system identifier; null when PostgreSQL could not be asked.</returns>
    public async Task<ulong?> RunAsync(CancellationToken cancellationToken)
    {
        PostgresPrimary? primary = null;
        try
        {
            primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync(cancellationToken);
            var facts = await primary.ReadFactsAsync(cancellationToken);
            Server(primary, facts);
            await RoleAsync(primary, cancellationToken);
            await TablesAsync(primary, cancellationToken);
            await SlotAsync(primary, facts, cancellationToken);
            return facts.SystemIdentifier;
        }
        catch (SyncException e)
        {
            report.Fail("PostgreSQL", primary?.Address.ToString() ?? "");
            report.Error(e);
        }
        catch (NpgsqlException e)
        {
            report.Fail("PostgreSQL", primary!.Address.ToString());
            report.Error(primary.Describe(e));
        }
        finally
        {
            if (primary is not null) await primary.DisposeAsync();
        }
        return null;
    }

    void Server(PostgresPrimary primary, ServerFacts facts)
    {
        var problems = ServerChecks.Find(facts, repl);
        string detail = $"{facts.Version} at {primary.Address}, database {config.Postgres.Conn.Database}, wal_level {facts.WalLevel}";
        if (problems.Count == 0) report.Pass("PostgreSQL", detail);
        else report.Fail("PostgreSQL", detail);
        foreach (var problem in problems) report.Error(problem);
        if (!primary.IsDirect) report.Warn(primary.ProxyWarning);
        if (primary.HoldsBytes)
            report.Note($"database {config.Postgres.Conn.Database} is in SQL_ASCII: values are written byte for byte as they are, and a row whose {{json:…}} would hold bytes that are no UTF-8 is parked");
    }

    /// <summary>Opening a replication connection is the only sure way to know: providers have roles of their own for it.</summary>
    async Task RoleAsync(PostgresPrimary primary, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await primary.OpenReplicationAsync(cancellationToken);
        }
        catch (SyncException e)
        {
            report.Error(e);
        }
    }

    async Task TablesAsync(PostgresPrimary primary, CancellationToken cancellationToken)
    {
        var catalog = new CatalogReader(primary.DataSource);
        var names = config.Tables.Select(TableName.Of).ToList();
        var facts = await catalog.ReadAsync(names, cancellationToken);
        var publication = await PublicationAsync(new PublicationManager(primary, catalog), [.. names.Where(facts.ContainsKey)], cancellationToken);
        var readable = await ReadableAsync(primary, [.. facts.Values.Select(f => f.Oid)], cancellationToken);
        foreach (var table in config.Tables)
        {
            var name = TableName.Of(table);
            if (!facts.TryGetValue(name, out var found))
            {
                report.Fail(table.FullName, "does not exist");
                report.Error(ExitCode.Schema,
                    $"{table.Position}: table {table.FullName} does not exist in database {config.Postgres.Conn.Database}: correct the name, or create the table.");
                continue;
            }
            var published = publication?.Tables.GetValueOrDefault(name);
            var relation = published is null ? found.ToRelation() : found.ToRelation([.. published.Columns]);
            bool good = !broken.Contains(table) && Compile(table, relation);
            if (config.Snapshot.Mode != SnapshotMode.Never) good &= await CopyAsync(primary, name, readable.Contains(found.Oid), cancellationToken);
            if (good) report.Pass(table.FullName, Describe(found, relation));
            else report.Fail(table.FullName, Describe(found, relation));
        }
    }

    /// <summary>Whether the table's rows can be copied.</summary>
    async Task<bool> CopyAsync(PostgresPrimary primary, TableName name, bool isReadable, CancellationToken cancellationToken)
    {
        string user = config.Postgres.Conn.User;
        if (!isReadable)
        {
            report.Error(ExitCode.Schema,
                $"User {user} may not read {name}, which copying it needs: run GRANT SELECT ON {SqlName.Of(name)} TO {SqlName.Quoted(user)}.");
            return false;
        }
        var custom = config.Snapshot.Config.FirstOrDefault(s => s.Schema == name.Schema && s.Name == name.Name);
        return custom?.Query is not { } query || await QueryAsync(primary, name, query, custom.Position, cancellationToken);
    }

    bool Compile(TableConfig table, Relation relation)
    {
        var (plan, issues) = TablePlanCompiler.Compile(table, relation, new MappingOptions(config.Postgres.NumericMode, config.Redis.CommitTimeColumn));
        foreach (var issue in issues)
        {
            if (issue.Level == IssueLevel.Error) report.Error(ExitCode.Configuration, issue.ToString());
            else report.Warn(issue.ToString());
        }
        return plan is not null;
    }

    async Task<PublicationReport?> PublicationAsync(PublicationManager manager, IReadOnlyList<TableName> tables, CancellationToken cancellationToken)
    {
        if (tables.Count == 0) return null;
        try
        {
            var found = await manager.CheckAsync(repl, tables, cancellationToken);
            if (found.Created) report.Note($"publication {repl.Pub} does not exist; actorsync run will create it for {string.Join(", ", tables)}");
            else
            {
                report.Pass($"publication {repl.Pub}", found.Changes.Count == 0 ? "" : "will be altered");
                foreach (string change in found.Changes) report.Note($"what actorsync run will do: {change}");
            }
            foreach (string warning in found.Warnings) report.Warn(warning);
            return found;
        }
        catch (SyncException e)
        {
            report.Fail($"publication {repl.Pub}");
            report.Error(e);
            return null;
        }
    }

    async Task SlotAsync(PostgresPrimary primary, ServerFacts facts, CancellationToken cancellationToken)
    {
        var manager = new SlotManager(primary, time);
        try
        {
            var slot = await manager.InspectAsync(repl.Slot, cancellationToken);
            if (slot is null && repl.Owner == ReplicationOwner.App)
            {
                if (facts.UsedReplicationSlots < facts.MaxReplicationSlots)
                    report.Note($"slot {repl.Slot} does not exist; actorsync run will create it and copy every table");
                else if (facts.MaxReplicationSlots > 0)
                    throw new SyncException(ExitCode.Slot,
                        $"No replication slot is left for {repl.Slot}: all {facts.MaxReplicationSlots} of max_replication_slots are taken; drop an unused"
                            + " one (see pg_replication_slots), or raise the setting and restart PostgreSQL.");
                return;
            }
            // With owner: user nothing is created, and a missing slot is an error that says how to create it.
            if (slot is null) slot = (await manager.EnsureAsync(repl, cancellationToken)).Facts;
            if (SlotChecks.Find(slot, primary.Options.Database) is { } problem) throw problem;
            report.Pass($"slot {repl.Slot}", $"confirmed {slot.ConfirmedFlushLsn}, holds back {Bytes(slot.RetainedBytes)} of WAL");
            if (slot.IsActive)
                report.Note($"slot {repl.Slot} is in use by {slot.Holder?.ToString() ?? "another process"}; another actorsync run would stand by until it is free");
            if (slot.WalStatus == "unreserved")
                report.Warn($"slot {repl.Slot} holds back more WAL than max_slot_wal_keep_size allows and may be lost at any moment:"
                    + " let it be read, or raise the setting");
        }
        catch (SyncException e)
        {
            report.Fail($"slot {repl.Slot}");
            report.Error(e);
        }
    }

    static async Task<HashSet<uint>> ReadableAsync(PostgresPrimary primary, uint[] oids, CancellationToken cancellationToken)
    {
        await using var command = primary.DataSource.CreateCommand(
            "select t from unnest($1::oid[]) t where has_table_privilege(t, 'select') or has_any_column_privilege(t, 'select')");
        command.Parameters.Add(new NpgsqlParameter { Value = oids, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Array | NpgsqlTypes.NpgsqlDbType.Oid });
        var readable = new HashSet<uint>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) readable.Add(reader.GetFieldValue<uint>(0));
        return readable;
    }

    /// <summary>Lets PostgreSQL plan the snapshot's condition, which reads no row.</summary>
    async Task<bool> QueryAsync(PostgresPrimary primary, TableName name, string query, SourcePosition position, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = primary.DataSource.CreateCommand($"explain select 1 from {SqlName.Of(name)} where ({query}\n)");
            await command.ExecuteNonQueryAsync(cancellationToken);
            return true;
        }
        catch (PostgresException e)
        {
            report.Error(ExitCode.Schema, $"{position}: PostgreSQL does not take this condition for {name}: {e.MessageText}");
            return false;
        }
    }

    static string Describe(TableFacts facts, Relation relation)
    {
        string key = relation.PrimaryKey.Count == 0 ? "no primary key" : $"key ({string.Join(", ", relation.PrimaryKey.Select(i => relation.Columns[i].Name))})";
        string rows = facts.EstimatedRows is { } estimate ? string.Create(CultureInfo.InvariantCulture, $", about {estimate:N0} rows") : "";
        int columns = relation.Columns.Count;
        return $"{columns} column{(columns == 1 ? "" : "s")}, {key}, replica identity {relation.Identity.ToString().ToLowerInvariant()}{rows}";
    }

    internal static string Bytes(long bytes) => bytes switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MB"),
        >= 1L << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 10):0.0} kB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
    };
}

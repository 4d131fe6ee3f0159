using System.Globalization;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;
using Sync.Node.Hosting;
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
/// <param name="onWaiting">Told for whom PostgreSQL makes the check wait.</param>
/// <param name="time">Clock.</param>
sealed class PostgresChecks(SyncConfig config, IReadOnlySet<TableConfig> broken, CheckReport report, Action<string> onWaiting, TimeProvider time)
{
    readonly ReplicationOptions repl = config.Postgres.Repl;

    /// <summary>The mapping of each table that could be compiled.</summary>
    public List<TablePlan> Plans { get; } = [];

    /// <returns>The cluster's system identifier; null when PostgreSQL could not be asked.</returns>
    public async Task<ulong?> RunAsync(CancellationToken cancellationToken)
    {
        PostgresPrimary? primary = null;
        try
        {
            primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync(cancellationToken);
            await using var watch = WaitWatch.Start(primary, onWaiting, time);
            var facts = await primary.ReadFactsAsync(cancellationToken);
            Server(primary, facts);
            await RoleAsync(primary, cancellationToken);
            await TablesAsync(primary, facts, cancellationToken);
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

    async Task TablesAsync(PostgresPrimary primary, ServerFacts facts, CancellationToken cancellationToken)
    {
        var review = await SourceReview.RunAsync(config, primary, facts, new CatalogReader(primary.DataSource), cancellationToken);
        Publication(review);
        foreach (var problem in review.Problems) report.Error(problem);
        foreach (var (table, published, plan, issues, refusals, warnings) in review.Tables)
        {
            if (plan is not null) Plans.Add(plan);
            if (published is null)
            {
                report.Fail(table.FullName, "does not exist");
                foreach (var refusal in refusals) report.Error(refusal.Code, $"{table.Position}: {refusal.Message}");
                continue;
            }
            // Wrong templates have been reported.
            bool isBroken = broken.Contains(table);
            foreach (var issue in issues.Where(i => i.Level == IssueLevel.Warning && !isBroken)) report.Warn(issue.ToString());
            foreach (var refusal in refusals.Where(r => !isBroken || r.Code != ExitCode.Configuration)) report.Error(refusal);
            foreach (string warning in warnings) report.Warn(warning);
            bool good = refusals.Count == 0;
            if (good && config.Snapshot.Mode != SnapshotMode.Never) good = await QueryAsync(primary, table, cancellationToken);
            string detail = Describe(published);
            if (good) report.Pass(table.FullName, detail);
            else report.Fail(table.FullName, detail);
        }
        string[] refused = [.. review.Tables.Where(t => t.Refusals.Count > 0).Select(t => t.Table.FullName)];
        if (refused.Length > 0 && refused.Length < review.Tables.Count && review.Problems.Count == 0)
            report.Note($"actorsync run would stop {string.Join(", ", refused)}, and follow the other tables");
    }

    void Publication(SourceReview review)
    {
        string subject = $"publication {repl.Pub}";
        if (review.Publication is not { } found)
        {
            report.Fail(subject);
            return;
        }
        if (found.Needs.Creates) report.Note($"publication {repl.Pub} does not exist; actorsync run will create it for {string.Join(", ", found.Needs.Adds)}");
        else if (review.Good.Any() || found.Changes.Count > 0)
        {
            report.Pass(subject, found.Changes.Count == 0 ? "" : "will be altered");
            foreach (string change in found.Changes) report.Note($"what actorsync run will do: {change}");
        }
        foreach (string warning in found.Warnings) report.Warn(warning);
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

    /// <summary>Lets PostgreSQL plan the snapshot's condition, which reads no row.</summary>
    async Task<bool> QueryAsync(PostgresPrimary primary, TableConfig table, CancellationToken cancellationToken)
    {
        var custom = config.Snapshot.Config.FirstOrDefault(s => s.Schema == table.Schema && s.Name == table.Name);
        if (custom?.Query is not { } query) return true;
        var name = TableName.Of(table);
        try
        {
            await using var command = primary.DataSource.CreateCommand($"explain select 1 from {SqlName.Of(name)} where ({query}\n)");
            await command.ExecuteNonQueryAsync(cancellationToken);
            return true;
        }
        catch (PostgresException e)
        {
            report.Error(ExitCode.Schema, $"{custom.Position}: PostgreSQL does not take this condition for {name}: {e.MessageText}");
            return false;
        }
    }

    static string Describe(PublishedTable published)
    {
        var (facts, relation) = (published.Facts, published.Facts.ToRelation([.. published.Columns]));
        string[] leftOut = [.. relation.LeftOut.Where(c => c.InPrimaryKey).Select(c => c.Name)];
        string key = relation.PrimaryKey.Count > 0 ? $"key ({string.Join(", ", relation.PrimaryKey.Select(i => relation.Columns[i].Name))})"
            : leftOut.Length > 0 ? $"key with {string.Join(", ", leftOut)}, {(relation.LeftOut.Any(c => c is { InPrimaryKey: true, IsGenerated: true }) ? "generated and not sent" : "not published")}"
            : "no primary key";
        string rows = facts.EstimatedRows is { } estimate ? string.Create(CultureInfo.InvariantCulture, $", about {estimate:N0} rows") : "";
        int columns = relation.Columns.Count;
        string generated = relation.LeftOut.Count(c => c.IsGenerated) is > 0 and var count ? $" and {count} generated" : "";
        return $"{columns} column{(columns == 1 ? "" : "s")}{generated}, {key}, replica identity {relation.Identity.ToString().ToLowerInvariant()}{rows}";
    }

    internal static string Bytes(long bytes) => bytes switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MB"),
        >= 1L << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 10):0.0} kB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
    };
}

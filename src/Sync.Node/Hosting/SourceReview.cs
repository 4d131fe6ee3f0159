using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;
using Sync.Postgres.Privileges;
using Sync.Postgres.Publication;
using Sync.Postgres.Slots;

namespace Sync.Node.Hosting;

/// <summary>What a review found of one table.</summary>
/// <param name="Table">As configured.</param>
/// <param name="Published">What of it would reach us; null when the table does not exist, or the publication could not be judged.</param>
/// <param name="Plan">Its mapping; null when that does not fit the table.</param>
/// <param name="Issues">What is to be said of the mapping.</param>
/// <param name="Refusals">Why the table can't be followed; empty when it can.</param>
/// <param name="Warnings">What works less well.</param>
sealed record TableReview(
    TableConfig Table, PublishedTable? Published, TablePlan? Plan, IReadOnlyList<MappingIssue> Issues, IReadOnlyList<SyncException> Refusals, IReadOnlyList<string> Warnings);

/// <summary>
/// Everything that decides whether and what a node can follow, looked at in one pass that changes nothing. A start acts on it only when it is complete, so that a start that
/// refuses its configuration leaves no trace; <c>validate --connect</c> shows it.
/// </summary>
/// <param name="Problems">What keeps every table from being followed, worst first.</param>
/// <param name="Tables">In the order of the configuration.</param>
/// <param name="Publication">What would become of the publication; null when it could not be judged.</param>
sealed record SourceReview(IReadOnlyList<SyncException> Problems, IReadOnlyList<TableReview> Tables, PublicationReview? Publication)
{
    /// <summary>Tables that can be followed.</summary>
    public IEnumerable<TableReview> Good => Tables.Where(t => t.Refusals.Count == 0);

    /// <summary>Looks at everything.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public static async Task<SourceReview> RunAsync(SyncConfig config, PostgresPrimary primary, ServerFacts server, CatalogReader catalog, CancellationToken cancellationToken)
    {
        var repl = config.Postgres.Repl;
        var problems = new List<SyncException>(ServerChecks.Find(server, repl));
        var role = await PrivilegeReader.RoleAsync(primary.DataSource, cancellationToken);
        if (!role.HasReplication && await ReplicationAsync(primary, cancellationToken) is { } noReplication) problems.Add(noReplication);
        PublicationReview? publication = null;
        IReadOnlyDictionary<TableName, PublishedTable> published;
        try
        {
            publication = await new PublicationManager(primary, catalog).ReviewAsync(repl, config.Tables, cancellationToken);
            published = publication.Tables;
        }
        catch (SyncException e) when (e.Code is ExitCode.Publication)
        {
            problems.Add(e);
            var facts = await catalog.ReadAsync([.. config.Tables.Select(TableName.Of)], cancellationToken);
            published = facts.ToDictionary(t => t.Key, t => new PublishedTable(t.Value, [.. t.Value.Columns.Where(c => !c.Generated).Select(c => c.Name)], null));
        }
        var rights = await PrivilegeReader.TablesAsync(primary.DataSource, [.. published.Values.Select(t => t.Facts.Oid)], cancellationToken);
        var missing = publication is null ? [] : PrivilegeChecks.FindForPublication(role, publication.Needs, rights);
        problems.AddRange(missing.Where(f => f.Table is null).Select(f => new SyncException(ExitCode.Schema, f.Message)));
        if (config.Cluster.Enabled)
        {
            var shared = await PrivilegeReader.ClusterAsync(primary.DataSource, cancellationToken);
            problems.AddRange(PrivilegeChecks.FindForCluster(role, shared).Select(f => new SyncException(ExitCode.Schema, f.Message)));
        }
        if (server.Major >= ServerChecks.MinimumMajor && await new SlotManager(primary).ReviewAsync(repl, server, cancellationToken) is { } slot) problems.Add(slot);
        bool copies = config.Snapshot.Mode != SnapshotMode.Never;
        return new SourceReview(problems, [.. config.Tables.Select(t => Judge(config, t, published, publication, role, rights, missing, copies))], publication);
    }

    /// <summary>Opening a replication connection is the only sure way to know: providers have roles of their own for it.</summary>
    static async Task<SyncException?> ReplicationAsync(PostgresPrimary primary, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await primary.OpenReplicationAsync(cancellationToken);
            return null;
        }
        catch (SyncException e) when (e.Code != ExitCode.PostgresUnreachable)
        {
            return e;
        }
    }

    static TableReview Judge(
        SyncConfig config, TableConfig table, IReadOnlyDictionary<TableName, PublishedTable> published, PublicationReview? publication, RoleFacts role,
        IReadOnlyDictionary<TableName, TableRights> rights, IReadOnlyList<PrivilegeFinding> missing, bool copies)
    {
        var name = TableName.Of(table);
        var refusals = new List<SyncException>();
        if (publication?.Refused.GetValueOrDefault(name) is { } refused) refusals.Add(refused);
        if (!published.TryGetValue(name, out var found))
        {
            string sentence = $"Table {name} does not exist in database {config.Postgres.Conn.Database}: correct the name, or create the table.";
            if (refusals.Count == 0) refusals.Add(new SyncException(ExitCode.Schema, sentence));
            return new TableReview(table, null, null, [], refusals, []);
        }
        var (plan, issues) = TablePlanCompiler.Compile(table, found.Facts.ToRelation([.. found.Columns]), TableSet.OptionsOf(config));
        refusals.AddRange(issues.Where(i => i.Level == IssueLevel.Error).Distinct().Select(i => new SyncException(i.Code, i.ToString())));
        List<PrivilegeFinding> findings = [.. missing.Where(f => f.Table == name)];
        if (rights.TryGetValue(name, out var own)) findings.AddRange(PrivilegeChecks.FindForReading(role, own, found.Columns, copies));
        refusals.AddRange(findings.Where(f => f.IsFatal).Select(f => new SyncException(ExitCode.Schema, f.Message)));
        return new TableReview(table, found, plan, issues, refusals, [.. findings.Where(f => !f.IsFatal).Select(f => f.Message)]);
    }
}

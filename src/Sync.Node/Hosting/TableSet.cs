using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;

namespace Sync.Node.Hosting;

/// <summary>The configured tables and the plan each has for the relation it shows now.</summary>
sealed class TableSet
{
    readonly Dictionary<(string Schema, string Name), TableRuntime> byName = [];
    readonly MappingOptions options;
    readonly HashSet<string> told = [];

    public TableSet(SyncConfig config)
    {
        options = OptionsOf(config);
        All = [.. config.Tables.Select((table, index) => new TableRuntime(index, table, this))];
        foreach (var table in All) byName[(table.Config.Schema, table.Config.Name)] = table;
    }

    public IReadOnlyList<TableRuntime> All { get; }

    /// <summary>Whether any table has skipped rows to report. Belongs to the reader.</summary>
    public bool HasSkipped { get; set; }

    public static MappingOptions OptionsOf(SyncConfig config) => new(config.Postgres.NumericMode, config.Redis.CommitTimeColumn);

    /// <summary>The table of that name; null when it is not configured.</summary>
    public TableRuntime? Find(string schema, string name) => byName.GetValueOrDefault((schema, name));

    /// <summary>
    /// Compiles the table's plan for a relation. One that does not compile leaves the table without a plan; that is no harm before a row
    /// comes that needs it.
    /// </summary>
    /// <returns>Warnings that were not given before.</returns>
    public IReadOnlyList<MappingIssue> Bind(TableRuntime table, Relation relation)
    {
        var issues = Compile(table, relation);
        return [.. issues.Where(i => i.Level == IssueLevel.Warning && told.Add(i.ToString()))];
    }

    IReadOnlyList<MappingIssue> Compile(TableRuntime table, Relation relation)
    {
        var (plan, issues) = TablePlanCompiler.Compile(table.Config, relation, options);
        (table.Plan, table.Error) = (plan, plan is null ? issues.First(i => i.Level == IssueLevel.Error).ToString() : "");
        return issues;
    }

    /// <summary>
    /// Stops the tables that a review refused; the others go on. For a table that no connection of this process has followed yet, every reason counts. One that was followed is stopped only
    /// if the publication can't have it: the catalog may be ahead of the stream, and what is missing to read rows is met where rows are read.
    /// </summary>
    /// <returns>The tables that were stopped or taken back now.</returns>
    /// <exception cref="SyncException">No table is left. All reasons, a line each.</exception>
    public IReadOnlyList<TableRuntime> Settle(SourceReview review)
    {
        var refused = new Dictionary<TableRuntime, IReadOnlyList<SyncException>>();
        foreach (var (table, found) in All.Zip(review.Tables))
        {
            if (table is { IsStopped: true, IsRefused: false } || found.Refusals.Count == 0) continue;
            bool isImpossible = found.Published is null || review.Publication?.Refused.ContainsKey(TableName.Of(table.Config)) == true;
            if (isImpossible || !table.WasFollowed) refused[table] = found.Refusals;
        }
        if (refused.Count > 0 && All.All(t => refused.ContainsKey(t) || t is { IsStopped: true, IsRefused: false }))
        {
            var reasons = All.Where(refused.ContainsKey).SelectMany(t => refused[t]).ToList();
            throw new SyncException(reasons[0].Code, string.Join(Environment.NewLine, reasons.Select(r => r.Message).Distinct()), reasons[0]);
        }
        var changed = new List<TableRuntime>();
        foreach (var table in All)
        {
            string before = table.Error;
            if (refused.TryGetValue(table, out var why)) table.Refuse(string.Join(" ", why.Select(r => r.Message.TrimEnd('.') + ".").Distinct()).TrimEnd('.'));
            else if (table.IsRefused) table.Accept();
            else continue;
            if (table.Error != before) changed.Add(table);
        }
        return changed;
    }

    /// <summary>Compiles the plans of all tables that are not stopped. One that does not compile is stopped by the first row that needs its plan.</summary>
    /// <returns>Warnings that were not given before.</returns>
    public IReadOnlyList<MappingIssue> BindAll(Func<TableRuntime, Relation> relationOf) =>
        [.. All.Where(t => !t.IsStopped).SelectMany(table => Compile(table, relationOf(table))).Where(i => i.Level == IssueLevel.Warning && told.Add(i.ToString()))];

    /// <summary>Whether something was not said before.</summary>
    public bool IsNew(string warning) => told.Add(warning);

    /// <summary>A table whose plan is for the table of this id, whatever its name is now; null when there is none.</summary>
    public TableRuntime? FindRenamed(uint oid) => All.FirstOrDefault(t => t.Plan?.Relation.Oid == oid);
}

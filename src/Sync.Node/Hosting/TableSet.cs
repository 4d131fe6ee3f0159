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
    bool isBound;

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

    /// <summary>At start every table must compile; when a connection was lost and the node begins again, the others go on.</summary>
    /// <exception cref="SyncException">All errors of all tables, a line each.</exception>
    public IReadOnlyList<MappingIssue> BindAll(Func<TableRuntime, Relation> relationOf)
    {
        var issues = All.Where(t => !t.IsStopped).SelectMany(table => Compile(table, relationOf(table))).ToLookup(i => i.Level);
        if (issues.Contains(IssueLevel.Error) && !isBound)
            throw new SyncException(ExitCode.Configuration, string.Join(Environment.NewLine, issues[IssueLevel.Error].Distinct()));
        isBound = true;
        return [.. issues[IssueLevel.Warning].Where(i => told.Add(i.ToString()))];
    }

    /// <summary>A table whose plan is for the table of this id, whatever its name is now; null when there is none.</summary>
    public TableRuntime? FindRenamed(uint oid) => All.FirstOrDefault(t => t.Plan?.Relation.Oid == oid);
}

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

    public TableSet(SyncConfig config)
    {
        options = OptionsOf(config);
        All = [.. config.Tables.Select((table, index) => new TableRuntime(index, table))];
        foreach (var table in All) byName[(table.Config.Schema, table.Config.Name)] = table;
    }

    public IReadOnlyList<TableRuntime> All { get; }

    public static MappingOptions OptionsOf(SyncConfig config) => new(config.Postgres.NumericMode, config.Redis.CommitTimeColumn);

    /// <summary>The table of that name; null when it is not configured.</summary>
    public TableRuntime? Find(string schema, string name) => byName.GetValueOrDefault((schema, name));

    /// <summary>Compiles the table's plan for a relation. Without a plan the first error is returned and the table is stopped.</summary>
    public (IReadOnlyList<MappingIssue> Warnings, string? Error) Bind(TableRuntime table, Relation relation)
    {
        var (plan, issues) = TablePlanCompiler.Compile(table.Config, relation, options);
        table.Plan = plan;
        string? error = plan is null ? issues.First(i => i.Level == IssueLevel.Error).ToString() : null;
        return ([.. issues.Where(i => i.Level == IssueLevel.Warning)], error);
    }

    /// <summary>At start every table must compile.</summary>
    /// <exception cref="SyncException">All errors of all tables, a line each.</exception>
    public IReadOnlyList<MappingIssue> BindAll(Func<TableRuntime, Relation> relationOf)
    {
        var warnings = new List<MappingIssue>();
        var errors = new List<string>();
        foreach (var table in All)
        {
            var (plan, issues) = TablePlanCompiler.Compile(table.Config, relationOf(table), options);
            table.Plan = plan;
            warnings.AddRange(issues.Where(i => i.Level == IssueLevel.Warning));
            errors.AddRange(issues.Where(i => i.Level == IssueLevel.Error).Select(i => i.ToString()));
        }
        return errors.Count == 0 ? warnings : throw new SyncException(ExitCode.Configuration, string.Join(Environment.NewLine, errors));
    }
}

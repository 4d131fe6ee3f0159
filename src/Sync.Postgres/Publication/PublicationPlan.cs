using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Publication;

/// <summary>
/// Decides what has to happen to a publication so that it publishes the configured tables. Pure: state in, statements out.
/// </summary>
/// <param name="Statements">To run in one transaction.</param>
/// <param name="Changes">What they do; a sentence each.</param>
/// <param name="Warnings">What works otherwise than one may expect; a sentence each.</param>
public sealed record PublicationPlan(IReadOnlyList<string> Statements, IReadOnlyList<string> Changes, IReadOnlyList<string> Warnings)
{
    static readonly string[] operations = ["insert", "update", "delete", "truncate"];

    /// <summary>Tables that the statements add.</summary>
    public IReadOnlyList<TableName> Adds { get; private init; } = [];

    /// <summary>The tables that can't be followed with this publication, or not without harm, each with the reason. The others can be given to <see cref="Make"/>.</summary>
    /// <param name="state">The publication; null when there is none.</param>
    /// <param name="options">Its name, and who owns it.</param>
    /// <param name="tables">The configured tables.</param>
    /// <param name="major">Major version of the server.</param>
    public static IReadOnlyDictionary<TableName, SyncException> FindRefusals(
        PublicationState? state, ReplicationOptions options, IReadOnlyList<ConfiguredTable> tables, int major)
    {
        var refusals = new Dictionary<TableName, SyncException>();
        var followed = tables.Where(t => Unpublishable(t.Facts) is null).ToList();
        var after = options.Owner == ReplicationOwner.App ? After(state, options.Pub, followed) : state;
        foreach (var table in tables)
        {
            bool isAdded = state is null || !IsPublished(state, table);
            var problem = Unpublishable(table.Facts)
                ?? (after is null ? null : UnderPublishedRoot(after, table))
                ?? (isAdded && options.Owner == ReplicationOwner.App ? BreaksWrites(after!, table, major) : null)
                ?? (isAdded && options.Owner == ReplicationOwner.User && state is not null ? NotPublished(state, [table.Name]) : null);
            if (problem is not null) refusals[table.Name] = problem;
        }
        return refusals;
    }

    /// <summary>The publication as it would be with these tables.</summary>
    static PublicationState After(PublicationState? state, string name, IReadOnlyList<ConfiguredTable> tables)
    {
        var own = tables.ToDictionary(t => t.Facts.Oid, t => t.Name);
        if (state is null) return new PublicationState { Name = name, Tables = own, Operations = operations.ToHashSet(), ViaRoot = true, IsManaged = true };
        return state with
        {
            Tables = state.IsManaged ? own : state.Tables.Concat(own.Where(t => !state.Names(t.Key, t.Value.Schema))).ToDictionary(),
            Operations = state.IsManaged ? operations.ToHashSet() : state.Operations,
            ViaRoot = state.ViaRoot || !state.AllTables,
        };
    }

    /// <summary>Once it is published, PostgreSQL would refuse what the application does with it (PostgreSQL docs, "Logical Replication", Publication).</summary>
    static SyncException? BreaksWrites(PublicationState after, ConfiguredTable table, int major)
    {
        if (table.PublishWithoutIdentity || (!after.Operations.Contains("update") && !after.Operations.Contains("delete"))) return null;
        foreach (var leaf in table.Leaves.Count > 0 ? table.Leaves : [table.Facts])
        {
            string which = leaf.Name == table.Name ? $"Table {leaf.Name}" : $"Partition {leaf.Name} of {table.Name}", name = Sql.Identifier(leaf.Name.Schema, leaf.Name.Name);
            const string byName = "publishWithoutIdentity: true for the table, if its rows are only ever inserted.";
            if (!leaf.HasIdentity)
                return new SyncException(ExitCode.Schema,
                    $"{which} has no replica identity, so that PostgreSQL would refuse every UPDATE and DELETE of the application on it once publication {after.Name} has it:"
                    + $" add a primary key, run ALTER TABLE {name} REPLICA IDENTITY FULL, or set {byName}");
            // Since 18 the identity may have no generated column that the publication leaves out.
            var generated = major >= 18 && !after.SendsGenerated ? leaf.Columns.Where(c => c is { InIdentity: true, Generated: true }).Select(c => c.Name).ToList() : [];
            if (generated.Count > 0)
                return new SyncException(ExitCode.Schema,
                    $"{which} has the generated column {string.Join(", ", generated)} in its replica identity, so that PostgreSQL {major} would refuse every UPDATE and DELETE of the application on it"
                    + $" once publication {after.Name} has it: run ALTER TABLE {name} REPLICA IDENTITY USING INDEX with an index of other columns, or set {byName}");
        }
        return null;
    }

    /// <param name="state">The publication; null when there is none.</param>
    /// <param name="options">Its name, and who owns it.</param>
    /// <param name="tables">The configured tables.</param>
    /// <param name="keep">Further tables, which stay in the publication if they are there; null for none.</param>
    /// <exception cref="SyncException">The tables can't be published so, or the user who owns the publication has to act.</exception>
    public static PublicationPlan Make(PublicationState? state, ReplicationOptions options, IReadOnlyList<ConfiguredTable> tables, IReadOnlySet<TableName>? keep = null)
    {
        foreach (var table in tables)
            if (Unpublishable(table.Facts) is { } problem) throw problem;
        return (state, options.Owner) switch
        {
            (null, ReplicationOwner.App) => Create(options.Pub, tables),
            (null, _) => throw new SyncException(ExitCode.Publication,
                $"Publication {options.Pub} does not exist: run {CreateStatement(options.Pub, tables)}, or set postgres.repl.owner: app."),
            (_, ReplicationOwner.App) => Alter(state, tables, keep ?? new HashSet<TableName>()),
            _ => Check(state, tables),
        };
    }

    static SyncException? Unpublishable(TableFacts table) => table switch
    {
        { Kind: not (TableKind.Table or TableKind.Partitioned) } => new SyncException(ExitCode.Schema,
            $"{table.Name} is a {Words(table.Kind)}; only tables have changes to follow, so name the tables it is made of."),
        { IsPermanent: false } => new SyncException(ExitCode.Schema,
            $"Table {table.Name} is unlogged, so that its changes can't be followed: run ALTER TABLE {Sql.Identifier(table.Name.Schema, table.Name.Name)} SET LOGGED."),
        _ => null,
    };

    static PublicationPlan Create(string name, IReadOnlyList<ConfiguredTable> tables)
    {
        var after = After(null, name, tables);
        RequireRoots(after, tables);
        return new PublicationPlan(
            [CreateStatement(name, tables), $"COMMENT ON PUBLICATION {Sql.Identifier(name)} IS {Sql.Literal(PublicationState.ManagedComment)}"],
            [$"Publication {name} created for {List(tables.Select(t => t.Name))}."],
            Warn(after, tables))
        { Adds = [.. tables.Select(t => t.Name)] };
    }

    // Tables are taken away only from a publication that is ours: somebody else's may serve other subscribers.
    static PublicationPlan Alter(PublicationState state, IReadOnlyList<ConfiguredTable> tables, IReadOnlySet<TableName> keep)
    {
        string name = Sql.Identifier(state.Name);
        var statements = new List<string>();
        var changes = new List<string>();
        var after = state;

        if (!state.ViaRoot && !state.AllTables)
        {
            after = after with { ViaRoot = true };
            statements.Add($"ALTER PUBLICATION {name} SET (publish_via_partition_root = true)");
            changes.Add($"Publication {state.Name}: publish_via_partition_root set.");
        }
        if (state.IsManaged && !operations.All(state.Operations.Contains))
        {
            after = after with { Operations = operations.ToHashSet() };
            statements.Add($"ALTER PUBLICATION {name} SET (publish = {Sql.Literal(string.Join(", ", operations))})");
            changes.Add($"Publication {state.Name}: all operations published.");
        }
        var configured = tables.Select(t => t.Facts.Oid).ToHashSet();
        var extra = state.IsManaged ? state.Tables.Where(t => !configured.Contains(t.Key) && !keep.Contains(t.Value)).Select(t => t.Value).ToList() : [];
        if (extra.Count > 0)
        {
            after = after with { Tables = after.Tables.Where(t => !extra.Contains(t.Value)).ToDictionary() };
            statements.Add($"ALTER PUBLICATION {name} DROP TABLE {Names(extra)}");
            changes.Add($"Publication {state.Name}: {List(extra)} removed, not configured any more.");
        }
        RequireRoots(after, tables);
        var missing = tables.Where(t => !IsPublished(after, t)).ToList();
        if (missing.Count > 0)
        {
            after = after with { Tables = after.Tables.Concat(missing.Select(t => KeyValuePair.Create(t.Facts.Oid, t.Name))).ToDictionary() };
            RequireRoots(after, tables);
            statements.Add($"ALTER PUBLICATION {name} ADD TABLE {Names(missing.Select(t => t.Name))}");
            changes.Add($"Publication {state.Name}: {List(missing.Select(t => t.Name))} added.");
        }
        return new PublicationPlan(statements, changes, Warn(after, tables)) { Adds = [.. missing.Select(t => t.Name)] };
    }

    static PublicationPlan Check(PublicationState state, IReadOnlyList<ConfiguredTable> tables)
    {
        RequireRoots(state, tables);
        var missing = tables.Where(t => !IsPublished(state, t)).Select(t => t.Name).ToList();
        if (missing.Count > 0) throw NotPublished(state, missing);
        return new PublicationPlan([], [], Warn(state, tables));
    }

    static SyncException NotPublished(PublicationState state, IReadOnlyList<TableName> tables) => new(ExitCode.Publication,
        $"{List(tables)} {(tables.Count == 1 ? "is" : "are")} not in publication {state.Name}: run ALTER PUBLICATION {Sql.Identifier(state.Name)} ADD TABLE {Names(tables)}.");

    static bool IsPublished(PublicationState state, ConfiguredTable table) =>
        state.Names(table.Facts.Oid, table.Name.Schema) || table.Ancestors.Any(a => state.Names(a.Oid, a.Name.Schema));

    static void RequireRoots(PublicationState state, IReadOnlyList<ConfiguredTable> tables)
    {
        foreach (var table in tables)
            if (UnderPublishedRoot(state, table) is { } problem) throw problem;
    }

    // With publish_via_partition_root a change of a partition arrives under the name of the topmost published table above it.
    static SyncException? UnderPublishedRoot(PublicationState state, ConfiguredTable table)
    {
        if (!state.ViaRoot) return null;
        foreach (var (oid, name) in table.Ancestors)
            if (state.Names(oid, name.Schema))
                return new SyncException(ExitCode.Publication,
                    $"Table {table.Name} is a partition of {name}, which publication {state.Name} publishes as a whole: its changes arrive under"
                        + $" the name {name}, so configure that table instead.");
        return null;
    }

    static List<string> Warn(PublicationState state, IReadOnlyList<ConfiguredTable> tables)
    {
        var warnings = new List<string>();
        foreach (string operation in operations.Where(o => !state.Operations.Contains(o)))
            warnings.Add($"Publication {state.Name} does not publish {operation}, so that no {operation} reaches Redis: run ALTER PUBLICATION"
                + $" {Sql.Identifier(state.Name)} SET (publish = {Sql.Literal(string.Join(", ", operations))}).");
        foreach (var table in tables.Where(t => t.Facts.Kind == TableKind.Partitioned && !state.ViaRoot))
            warnings.Add($"Table {table.Name} is partitioned and publication {state.Name} publishes its partitions under their own names, which are"
                + $" not configured: run ALTER PUBLICATION {Sql.Identifier(state.Name)} SET (publish_via_partition_root = true).");
        if (!state.Operations.Contains("update") && !state.Operations.Contains("delete")) return warnings;
        foreach (var table in tables.Where(t => !t.Facts.HasIdentity))
            warnings.Add($"Table {table.Name} has no replica identity, so that PostgreSQL refuses every UPDATE and DELETE on it while it is"
                + $" published: add a primary key or run ALTER TABLE {Sql.Identifier(table.Name.Schema, table.Name.Name)} REPLICA IDENTITY FULL.");
        return warnings;
    }

    static string CreateStatement(string name, IReadOnlyList<ConfiguredTable> tables) =>
        $"CREATE PUBLICATION {Sql.Identifier(name)} FOR TABLE {Names(tables.Select(t => t.Name))}"
        + $" WITH (publish = {Sql.Literal(string.Join(", ", operations))}, publish_via_partition_root = true)";

    // ONLY: tables that inherit from a configured one in the old way are tables of their own in the stream. It changes nothing for partitions.
    static string Names(IEnumerable<TableName> tables) => string.Join(", ", tables.Select(t => $"ONLY {Sql.Identifier(t.Schema, t.Name)}"));

    static string List(IEnumerable<TableName> tables) => string.Join(", ", tables);

    static string Words(TableKind kind) => kind switch
    {
        TableKind.View => "view",
        TableKind.MaterializedView => "materialized view",
        _ => "foreign table",
    };
}

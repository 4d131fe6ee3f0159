using Npgsql;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using Sync.Engine.Verification;
using Sync.Node.Hosting;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;
using Sync.Postgres.Privileges;
using Sync.Postgres.Publication;
using Sync.Postgres.Rows;

namespace Sync.Node.Verification;

/// <summary>A table that was judged.</summary>
/// <param name="Table">As configured.</param>
/// <param name="Parts">What it is read by; null when it can't be compared.</param>
/// <param name="Why">Why it can't be compared; empty when it can.</param>
/// <param name="Trouble">Set when it can't because something is missing that somebody can mend.</param>
sealed record OpenedTable(TableConfig Table, TableParts? Parts, string Why, ExitCode? Trouble = null);

/// <summary>Judges tables as they are configured and as the publication shows them now, and opens what they are read by.</summary>
static class TableOpener
{
    /// <summary>All configured tables; one that can't be compared comes with the reason.</summary>
    /// <exception cref="SyncException">There is no publication, or PostgreSQL can't be asked.</exception>
    public static async Task<List<OpenedTable>> OpenAllAsync(SyncConfig config, PostgresPrimary primary, CancellationToken cancellationToken)
    {
        var catalog = new CatalogReader(primary.DataSource);
        var publication = await new PublicationManager(primary, catalog).ReviewAsync(config.Postgres.Repl, config.Tables, cancellationToken);
        var role = await PrivilegeReader.RoleAsync(primary.DataSource, cancellationToken);
        var rights = await PrivilegeReader.TablesAsync(primary.DataSource, [.. publication.Tables.Values.Select(t => t.Facts.Oid)], cancellationToken);
        (TablePlan? Plan, SyncException? Problem)[] judged = [.. config.Tables.Select(t => Judge(config, t, publication, role, rights))];
        // A table that can't be mapped now may have been written before.
        var places = judged.Select((t, i) => t.Plan is { } plan ? WrittenPlace.Of(plan) : WrittenPlace.Of(config.Tables[i])).ToArray();
        var opened = new List<OpenedTable>();
        for (int i = 0; i < judged.Length; i++)
        {
            var (table, plan) = (config.Tables[i], judged[i].Plan);
            if (plan is null || judged[i].Problem is not null)
            {
                var problem = judged[i].Problem!;
                opened.Add(new OpenedTable(table, null, problem.Message.TrimEnd('.'), problem.Code));
                continue;
            }
            if (plan.Relation.PrimaryKey.Count == 0)
            {
                opened.Add(new OpenedTable(table, null, "it has no primary key, or the publication leaves it out, so that its rows can't be told apart"));
                continue;
            }
            var published = publication.Tables[TableName.Of(table)];
            var unique = await UniqueAsync(primary, plan.Relation, cancellationToken);
            var others = places.Where(p => p != places[i]).SelectMany(p => p);
            var verification = VerificationPlan.Create(plan, unique, others);
            string? query = config.Snapshot.Config.FirstOrDefault(s => s.Schema == table.Schema && s.Name == table.Name)?.Query;
            var chunks = new RowChunks(primary, plan.Relation, published.Facts.Kind == TableKind.Partitioned, published.RowFilter);
            opened.Add(new OpenedTable(table, new TableParts(table, plan.Relation, verification, chunks, query), ""));
        }
        return opened;
    }

    /// <summary>The table's plan, and why its rows can't be read or mapped.</summary>
    static (TablePlan? Plan, SyncException? Problem) Judge(
        SyncConfig config, TableConfig table, PublicationReview publication, RoleFacts role, IReadOnlyDictionary<TableName, TableRights> rights)
    {
        var name = TableName.Of(table);
        var refused = publication.Refused.GetValueOrDefault(name);
        if (!publication.Tables.TryGetValue(name, out var published)) return (null, refused);
        var (plan, issues) = TablePlanCompiler.Compile(table, published.Facts.ToRelation([.. published.Columns]), TableSet.OptionsOf(config));
        if (plan is null)
        {
            MappingIssue[] errors = [.. issues.Where(i => i.Level == IssueLevel.Error).Distinct()];
            return (null, new SyncException(errors[0].Code, string.Join(Environment.NewLine, errors.Select(e => e.ToString()))));
        }
        // The catalog is asked more than once, and the table may be dropped or renamed in between.
        if (!rights.TryGetValue(name, out var own)) return (null, new SyncException(ExitCode.Schema, $"Table {name} does not exist any more."));
        // What only warns about reading is needed here.
        string[] missing = [.. PrivilegeChecks.FindForReading(role, own, published.Columns, copies: false).Select(f => f.Message)];
        return (plan, refused ?? (missing.Length > 0 ? new SyncException(ExitCode.Schema, string.Join(" ", missing)) : null));
    }

    /// <summary>Columns that no two rows share: those of unique indexes that cover all rows and hold at every moment.</summary>
    static async Task<IReadOnlyList<IReadOnlyList<int>>> UniqueAsync(PostgresPrimary primary, Relation relation, CancellationToken cancellationToken)
    {
        await using var command = primary.DataSource.CreateCommand("""
            select array(select a.attname::text
                         from unnest(i.indkey::int2[]) with ordinality k (attnum, place)
                         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                         where k.place <= i.indnkeyatts)
            from pg_index i
            where i.indrelid = $1 and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = relation.Oid, NpgsqlDbType = NpgsqlDbType.Oid });
        var unique = new List<IReadOnlyList<int>>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            int[] columns = [.. reader.GetFieldValue<string[]>(0).Select(relation.IndexOf)];
            if (!columns.Contains(-1)) unique.Add(columns);
        }
        return unique;
    }
}

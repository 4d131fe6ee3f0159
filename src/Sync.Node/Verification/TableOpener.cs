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
using Sync.Postgres.Publication;
using Sync.Postgres.Rows;

namespace Sync.Node.Verification;

/// <summary>Judges tables as they are configured and as the publication shows them now, and opens what they are read by.</summary>
static class TableOpener
{
    /// <summary>All configured tables; one that can't be compared comes with the reason.</summary>
    /// <exception cref="SyncException">A table is not published, or does not fit its configuration.</exception>
    public static async Task<List<(TableConfig Table, TableParts? Parts, string Why)>> OpenAllAsync(
        SyncConfig config, PostgresPrimary primary, CancellationToken cancellationToken)
    {
        var publication = await new PublicationManager(primary, new CatalogReader(primary.DataSource))
            .CheckAsync(config.Postgres.Repl, [.. config.Tables.Select(TableName.Of)], cancellationToken);
        TablePlan[] plans = [.. config.Tables.Select(t => Compile(config, t, publication.Tables[TableName.Of(t)]))];
        var places = Array.ConvertAll(plans, WrittenPlace.Of);
        var opened = new List<(TableConfig, TableParts?, string)>();
        for (int i = 0; i < plans.Length; i++)
        {
            var (table, plan) = (config.Tables[i], plans[i]);
            var published = publication.Tables[TableName.Of(table)];
            if (plan.Relation.PrimaryKey.Count == 0)
            {
                opened.Add((table, null, "it has no primary key, or the publication leaves it out, so that its rows can't be told apart"));
                continue;
            }
            var unique = await UniqueAsync(primary, plan.Relation, cancellationToken);
            var others = places.Where(p => p != places[i]).SelectMany(p => p);
            var verification = VerificationPlan.Create(plan, unique, others);
            string? query = config.Snapshot.Config.FirstOrDefault(s => s.Schema == table.Schema && s.Name == table.Name)?.Query;
            var chunks = new RowChunks(primary, plan.Relation, published.Facts.Kind == TableKind.Partitioned, published.RowFilter);
            opened.Add((table, new TableParts(table, plan.Relation, verification, chunks, query), ""));
        }
        return opened;
    }

    static TablePlan Compile(SyncConfig config, TableConfig table, PublishedTable published)
    {
        var (plan, issues) = TablePlanCompiler.Compile(table, published.Facts.ToRelation([.. published.Columns]), TableSet.OptionsOf(config));
        return plan ?? throw new SyncException(ExitCode.Configuration,
            string.Join(Environment.NewLine, issues.Where(i => i.Level == IssueLevel.Error).Select(i => i.ToString()).Distinct()));
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

using Npgsql;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using Sync.Engine.Verification;
using Sync.Node.Commands;
using Sync.Node.Hosting;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;
using Sync.Postgres.Publication;
using Sync.Postgres.Rows;
using Sync.Redis;
using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Node.Verification;

/// <summary>
/// <c>actorsync verify</c>: compares what is in Redis with what the rows in PostgreSQL ask for, while a node streams or not. Reads only; what is to
/// be mended it asks the node to mend.
/// </summary>
sealed class Verifier(SyncConfig config, Uri? url, TimeProvider time)
{
    /// <exception cref="SyncException">Something can't be reached or read, or the node does not move.</exception>
    public async Task<VerifyReport> RunAsync(VerifyOptions options, CancellationToken cancellationToken)
    {
        using var node = url is null ? null : new NodeClient(url);
        if (options.Repair) await RequireNodeAsync(node, cancellationToken);
        await using var primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync(cancellationToken);
        try
        {
            await using var redis = await RedisMaster.ConnectAsync(config.Redis, config.WriteTimeout, time, cancellationToken);
            return await CompareAsync(options, primary, redis, node, cancellationToken);
        }
        catch (RedisTransientException e)
        {
            throw new SyncException(ExitCode.RedisUnreachable, e.Message, e);
        }
        catch (NpgsqlException e)
        {
            throw primary.Describe(e);
        }
    }

    async Task RequireNodeAsync(NodeClient? node, CancellationToken cancellationToken)
    {
        if (node is null)
            throw new SyncException(ExitCode.Usage, $"--repair asks the running node, and {config.Source} gives it no fixed HTTP address: name it with --url.");
        if (await node.TryStatusAsync(cancellationToken) is not { } status) throw node.NotAnswering();
        if (status.Slot != config.Postgres.Repl.Slot)
            throw new SyncException(ExitCode.Usage,
                $"The node at {node.Url.GetLeftPart(UriPartial.Authority)} works for slot {status.Slot}, not for {config.Postgres.Repl.Slot}: name the right one with --url.");
    }

    async Task<VerifyReport> CompareAsync(VerifyOptions options, PostgresPrimary primary, RespConnection redis, NodeClient? node, CancellationToken cancellationToken)
    {
        var gate = new AppliedGate(config, primary, redis, node, time);
        await gate.OpenAsync(cancellationToken);
        var start = await gate.CurrentAsync(cancellationToken);
        await gate.WaitAsync(start, null, cancellationToken);
        var state = new RedisState(redis, new RedisKeys(config.Postgres.Repl.Slot));
        var repair = options.Repair ? new RepairClient(node!) : null;
        var reports = new List<TableReport>();
        foreach (var (table, parts, why) in await OpenTablesAsync(primary, cancellationToken))
        {
            await using var open = parts;
            if (options.Table is not null && options.Table != table.FullName) continue;
            var report = new TableReport(table.FullName)
            {
                Skipped = why,
                NotVerifiable = parts?.Plan.NotVerifiable ?? [],
                NotSearched = parts?.Plan.NotSearched ?? [],
            };
            reports.Add(report);
            if (parts is not null) await new TableVerifier(parts, state, gate, repair, options, report, time).RunAsync(cancellationToken);
        }
        string note = gate.IsRunning ? ""
            : gate.Applied >= start ? "no node runs; Redis is up to date"
            : $"no node runs: Redis is at {gate.Applied}, PostgreSQL at {start}; what changed in between counts as different";
        return new VerifyReport(gate.Node, gate.Applied.ToString(), note, reports);
    }

    async Task<List<(TableConfig Table, TableParts? Parts, string Why)>> OpenTablesAsync(PostgresPrimary primary, CancellationToken cancellationToken)
    {
        var publication = await new PublicationManager(primary, new CatalogReader(primary.DataSource))
            .CheckAsync(config.Postgres.Repl, [.. config.Tables.Select(TableName.Of)], cancellationToken);
        TablePlan[] plans = [.. config.Tables.Select(t => Compile(t, publication.Tables[TableName.Of(t)]))];
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

    TablePlan Compile(TableConfig table, PublishedTable published)
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

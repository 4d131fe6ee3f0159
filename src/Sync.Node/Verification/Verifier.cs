using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Commands;
using Sync.Postgres.Connections;
using Sync.Redis;
using Sync.Redis.Cluster;
using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Node.Verification;

/// <summary>
/// <c>actorsync verify</c>: compares what is in Redis with what the rows in PostgreSQL ask for, while a node streams or not. Reads only; what is to
/// be mended it asks the node to mend.
/// </summary>
/// <param name="config">What to compare.</param>
/// <param name="url">The running node; null when there is no address of it.</param>
/// <param name="time">Clock.</param>
/// <param name="onWaiting">Told for whom PostgreSQL makes the comparison wait; null for nobody.</param>
sealed class Verifier(SyncConfig config, Uri? url, TimeProvider time, Action<string>? onWaiting = null)
{
    /// <exception cref="SyncException">Something can't be reached or read, or the node does not move.</exception>
    public async Task<VerifyReport> RunAsync(VerifyOptions options, CancellationToken cancellationToken)
    {
        using var node = url is null ? null : new NodeClient(url);
        if (options.Repair) await RequireNodeAsync(node, cancellationToken);
        await using var primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync(cancellationToken);
        await using var watch = WaitWatch.Start(primary, onWaiting ?? (_ => { }), time);
        try
        {
            await using var redis = await RedisMaster.ConnectAsync(config.Redis, config.WriteTimeout, time, cancellationToken);
            await using var cluster = config.Redis.IsCluster ? new ClusterReader(config.Redis, config.WriteTimeout, time) : null;
            return await CompareAsync(options, primary, redis, cluster, node, cancellationToken);
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

    async Task<VerifyReport> CompareAsync(
        VerifyOptions options, PostgresPrimary primary, RespConnection redis, ClusterReader? cluster, NodeClient? node, CancellationToken cancellationToken)
    {
        var gate = new AppliedGate(config, primary, redis, node, time);
        await gate.OpenAsync(cancellationToken);
        var start = await gate.CurrentAsync(cancellationToken);
        await gate.WaitAsync(start, null, cancellationToken);
        var state = new RedisState(redis, new RedisKeys(config.Postgres.Repl.Slot), cluster);
        var repair = options.Repair ? new RepairClient(node!) : null;
        var reports = new List<TableReport>();
        foreach (var (table, parts, why, trouble) in await TableOpener.OpenAllAsync(config, primary, cancellationToken))
        {
            await using var open = parts;
            if (options.Table is not null && options.Table != table.FullName) continue;
            var report = new TableReport(table.FullName)
            {
                Skipped = why,
                Trouble = trouble,
                Compared = parts is not null && (parts.Plan.HasState || parts.Plan.Probes.Count > 0),
                NotVerifiable = parts?.Plan.NotVerifiable ?? [],
                NotSearched = parts?.Plan.NotSearched ?? [],
            };
            reports.Add(report);
            if (parts is null) continue;
            try
            {
                await new TableVerifier(parts, state, gate, repair, options, report, time).RunAsync(cancellationToken);
            }
            catch (SyncException e) when (e.Code == ExitCode.Schema)
            {
                // The table, or the right to read it, went away meanwhile; the others go on.
                (report.Skipped, report.Trouble, report.Compared) = (e.Message.TrimEnd('.'), e.Code, false);
            }
        }
        string note = gate.IsRunning ? ""
            : gate.Applied >= start ? "no node runs; Redis is up to date"
            : $"no node runs: Redis is at {gate.Applied}, PostgreSQL at {start}; what changed in between counts as different";
        return new VerifyReport(gate.Node, gate.Applied.ToString(), note, reports);
    }
}

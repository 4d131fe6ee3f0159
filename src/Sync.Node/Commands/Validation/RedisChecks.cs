using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;
using Sync.Redis;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Progress;

namespace Sync.Node.Commands.Validation;

/// <summary>Compares the configuration with a live Redis: version, login, role, what may be lost, whose progress is there. Changes nothing.</summary>
sealed class RedisChecks(SyncConfig config, CheckReport report, TimeProvider time)
{
    /// <param name="system">System identifier of the PostgreSQL cluster; null when it is not known.</param>
    /// <param name="plans">The tables whose mapping is known.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task RunAsync(ulong? system, IReadOnlyList<TablePlan> plans, CancellationToken cancellationToken)
    {
        string at = config.Redis.IsCluster ? $"Cluster of {string.Join(", ", config.Redis.Nodes)}"
            : config.Redis.Sentinel is { } sentinel
            ? $"master {sentinel.MasterName}, by Sentinel"
            : new HostPort(config.Redis.Conn.Host, config.Redis.Conn.Port).ToString();
        try
        {
            await using var connection = await RedisMaster.ConnectAsync(config.Redis, config.WriteTimeout, time, cancellationToken);
            at = config.Redis.IsCluster ? $"{connection.Server.Version}, {at}; ActorSync's own keys at {connection.Endpoint}"
                : $"{connection.Server.Version} at {connection.Endpoint}, database {config.Redis.Conn.Database}" + (config.Redis.Sentinel is null ? "" : $", {at}");
            Judge(connection);
            await new RightsChecks(config, report).RunAsync(connection, plans, cancellationToken);
            await ProgressAsync(connection, system, cancellationToken);
            report.Pass("Redis", at);
        }
        catch (Exception e) when (e is SyncException or RedisTransientException)
        {
            report.Fail("Redis", at);
            report.Error(e as SyncException ?? new SyncException(ExitCode.RedisUnreachable, e.Message, e));
        }
    }

    void Judge(RespConnection connection)
    {
        var server = connection.Server;
        if (server.IsCluster && !config.Redis.IsCluster)
            throw new SyncException(ExitCode.RedisUnsuitable,
                $"Redis at {connection.Endpoint} is a node of a Redis Cluster, but redis.conn names a single server; list the nodes under redis.nodes.");
        if (server.Role == "slave")
            throw new SyncException(ExitCode.RedisUnsuitable,
                $"Redis at {connection.Endpoint} is a replica, which takes no writes: name the master under redis.conn.");
        if (server.EvictionPolicy.StartsWith("allkeys-", StringComparison.Ordinal))
            report.Warn($"Redis evicts any key when memory is short (maxmemory-policy {server.EvictionPolicy}), also ActorSync's own"
                + " progress, and then changes are applied twice: run CONFIG SET maxmemory-policy noeviction, or a volatile- policy");
    }

    async Task ProgressAsync(RespConnection connection, ulong? system, CancellationToken cancellationToken)
    {
        var keys = new RedisKeys(config.Postgres.Repl.Slot);
        var found = await new ProgressStore(keys).ReadAsync(connection, cancellationToken);
        if (system is { } here && found.System is { } other && other != here.ToString(System.Globalization.CultureInfo.InvariantCulture))
            throw new SyncException(ExitCode.ForeignProgress,
                $"Redis holds the progress of PostgreSQL cluster {other} under '{keys.Progress}', but this one is {here};"
                + " use another slot name, or DEL that key to start anew.");
    }
}

using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Connections;

/// <summary>
/// Connects to the server that takes the writes: the one that is configured, or the master that the Sentinels name (Redis docs, "Guidelines
/// for Redis clients with support for Redis Sentinel"). They are asked anew for every connection, because a failover ends the connections:
/// 1. ask the Sentinels in turn; who does not answer is passed over;
/// 2. connect to the server that one names, unless it was tried a moment ago at the word of another;
/// 3. it has to call itself a master (INFO, <c>role</c>), since a Sentinel may not know yet of a failover: else the next is asked.
/// When nobody names a master that holds, the attempt is transient: a failover takes a while. Only what all Sentinels say alike is final.
/// </summary>
public static class RedisMaster
{
    /// <summary>A Sentinel has little to do; one that is silent for longer is passed over, as there are others.</summary>
    static readonly TimeSpan longestQuestion = TimeSpan.FromSeconds(3);

    /// <summary>Connects; see <see cref="RespConnection.ConnectAsync"/>.</summary>
    /// <param name="options">A single server, or Sentinels. User, password, database and TLS of the master are those of <c>conn</c>.</param>
    /// <param name="timeout">See <see cref="RespConnection.ConnectAsync"/>.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">Also when no Sentinel knows the master's name, or they refuse us.</exception>
    /// <exception cref="RedisTransientException">Also when no master can be found now.</exception>
    public static ValueTask<RespConnection> ConnectAsync(
        RedisOptions options, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken) => options.Sentinel is null
        ? RespConnection.ConnectAsync(options.Conn, timeout, time, cancellationToken)
        : ThroughSentinelsAsync(options.Conn, options.Sentinel, timeout, time, cancellationToken);

    static async ValueTask<RespConnection> ThroughSentinelsAsync(
        RedisConnectionOptions conn, SentinelOptions sentinels, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var passing = new List<string>();
        var refusals = new List<SyncException>();
        var tried = new HashSet<HostPort>();
        foreach (var host in sentinels.Hosts)
        {
            try
            {
                if (await AskAsync(conn, sentinels, host, timeout, time, cancellationToken) is not { } named)
                    refusals.Add(new SyncException(ExitCode.Configuration,
                        $"No Sentinel knows a master named '{sentinels.MasterName}' (asked {string.Join(", ", sentinels.Hosts)}); check redis.sentinel.masterName."));
                else if (tried.Add(named) && await TryAsync(conn with { Host = named.Host, Port = named.Port }) is { } master)
                    return master;
            }
            catch (RedisTransientException e)
            {
                passing.Add(e.Message.TrimEnd('.'));
            }
            catch (SentinelRefusedException e)
            {
                refusals.Add((SyncException)e.InnerException!);
            }
        }
        if (refusals.Count == sentinels.Hosts.Count) throw refusals[0];
        passing.AddRange(refusals.Select(r => r.Message.TrimEnd('.')));
        throw new RedisTransientException(
            $"The Sentinels name no master '{sentinels.MasterName}' that can be written to: {string.Join("; ", passing)}.", outcomeUnknown: false);

        async ValueTask<RespConnection?> TryAsync(RedisConnectionOptions named)
        {
            var connection = await RespConnection.ConnectAsync(named, timeout, time, cancellationToken);
            if (connection.Server.Role == "master") return connection;
            passing.Add($"Redis at {connection.Endpoint} is a replica");
            await connection.DisposeAsync();
            return null;
        }
    }

    /// <summary>What one Sentinel holds for the master's address; null when it doesn't know the name.</summary>
    static async ValueTask<HostPort?> AskAsync(
        RedisConnectionOptions conn, SentinelOptions sentinels, HostPort host, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var options = new RedisConnectionOptions { Host = host.Host, Port = host.Port, User = sentinels.User, Password = sentinels.Password, Tls = conn.Tls };
        try
        {
            await using var connection = await RespConnection.ConnectAsync(options, timeout < longestQuestion ? timeout : longestQuestion, time, cancellationToken);
            var reply = await connection.ExecuteAsync(cancellationToken, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels.MasterName);
            if (reply.ErrorText.StartsWith("ERR unknown command", StringComparison.Ordinal))
                throw new SyncException(ExitCode.RedisUnsuitable, $"Redis at {host} is no Sentinel; name Sentinels under redis.sentinel.hosts, their port is 26379 by default.");
            reply.OrThrow(connection.Endpoint, connection.User);
            if (reply.IsNull) return null;
            return Parse(reply) ?? throw new RedisTransientException($"The Sentinel at {host} answers with something else than an address.", outcomeUnknown: false);
        }
        catch (SyncException e)
        {
            // What is wrong with a login is said of redis.conn below, which is not what was used here.
            throw new SentinelRefusedException(e.Code != ExitCode.RedisAuthentication ? e : new SyncException(e.Code,
                $"The Sentinel at {host} refuses {(string.IsNullOrEmpty(sentinels.User) ? "the default user" : $"user '{sentinels.User}'")}; "
                + "check redis.sentinel.user and redis.sentinel.password, and that the user may run SENTINEL and INFO.", e));
        }
        catch (RedisTransientException e)
        {
            throw new RedisTransientException($"Sentinel {host}: {e.Message}", outcomeUnknown: false, e);
        }
    }

    static HostPort? Parse(RespValue reply)
    {
        if (reply.Kind != RespKind.Array || reply.Items.Count != 2 || reply.Items.Any(item => item.Kind != RespKind.Bulk)) return null;
        return int.TryParse(reply.Items[1].AsString(), NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= ushort.MaxValue
            ? new HostPort(reply.Items[0].AsString()!, port)
            : null;
    }

    /// <summary>Tells what a Sentinel refuses from what the master does: the other Sentinels may still answer.</summary>
    sealed class SentinelRefusedException(SyncException inner) : Exception(inner.Message, inner);
}

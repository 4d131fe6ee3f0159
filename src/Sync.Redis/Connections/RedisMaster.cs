using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Cluster;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Connections;

/// <summary>
/// Connects to the server that takes the writes: the one that is configured, or the master that the Sentinels name (Redis docs, "Guidelines
/// for Redis clients with support for Redis Sentinel"). They are asked anew for every connection:
/// 1. ask all Sentinels at once, until more than half of them name the same server or all have answered or kept silent;
/// 2. connect to the server that most of them name, then to the others that were named;
/// 3. it has to call itself a master (INFO, <c>role</c>), since a Sentinel may not know yet of a failover.
/// When nobody names a master that holds, the attempt is transient: a failover takes a while. Only what all Sentinels say alike is final.
/// </summary>
public static class RedisMaster
{
    /// <summary>A Sentinel has little to do; one that is silent for longer is passed over, as there are others.</summary>
    static readonly TimeSpan longestQuestion = TimeSpan.FromSeconds(3);

    /// <summary>Connects; see <see cref="RespConnection.ConnectAsync"/>.</summary>
    /// <param name="options">A single server, Sentinels, or nodes of a Cluster: then it is the master of our own keys. User, password, database and TLS of the master are those of <c>conn</c>.</param>
    /// <param name="timeout">See <see cref="RespConnection.ConnectAsync"/>.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">Also when no Sentinel knows the master's name, or they refuse us.</exception>
    /// <exception cref="RedisTransientException">Also when no master can be found now.</exception>
    public static ValueTask<RespConnection> ConnectAsync(
        RedisOptions options, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken) => options.IsCluster
        ? ClusterNodes.ConnectAsync(options, timeout, time, cancellationToken)
        : options.Sentinel is null
        ? RespConnection.ConnectAsync(options.Conn, timeout, time, cancellationToken)
        : ThroughSentinelsAsync(options, options.Sentinel, timeout, time, cancellationToken);

    /// <summary>
    /// The server that more than half of the Sentinels name, for whoever writes to one already: a master that was cut off, or is failed over by
    /// order, goes on taking writes for a while after another was promoted, and all of them are lost.
    /// </summary>
    /// <param name="options">With Sentinels.</param>
    /// <param name="timeout">For each Sentinel; 3 s at most.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null when there is no such majority now.</returns>
    public static async Task<HostPort?> NamedAsync(RedisOptions options, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        int hosts = options.Sentinel!.Hosts.Count;
        var answers = await AskAllAsync(options, options.Sentinel, timeout, time, cancellationToken);
        return answers.Where(a => a.Named is not null).GroupBy(a => a.Named).FirstOrDefault(same => same.Count() * 2 > hosts)?.Key;
    }

    static async ValueTask<RespConnection> ThroughSentinelsAsync(
        RedisOptions options, SentinelOptions sentinels, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var answers = await AskAllAsync(options, sentinels, timeout, time, cancellationToken);
        if (answers.Count == sentinels.Hosts.Count && answers.TrueForAll(a => a.Refusal is not null)) throw answers[0].Refusal!;
        var reasons = answers.Select(a => (a.Refusal ?? (Exception?)a.Passing)?.Message.TrimEnd('.')).OfType<string>().ToList();
        foreach (var named in answers.Select(a => a.Named).OfType<HostPort>().GroupBy(n => n).OrderByDescending(same => same.Count()).Select(same => same.Key))
        {
            try
            {
                var connection = await RespConnection.ConnectAsync(options.Conn with { Host = named.Host, Port = named.Port }, timeout, time, cancellationToken);
                if (connection.Server.Role == "master") return connection;
                await connection.DisposeAsync();
                reasons.Add($"Redis at {connection.Endpoint} is a replica");
            }
            catch (RedisTransientException e)
            {
                reasons.Add(e.Message.TrimEnd('.'));
            }
        }
        throw new RedisTransientException(
            $"The Sentinels name no master '{sentinels.MasterName}' that can be written to: {string.Join("; ", reasons)}.", outcomeUnknown: false);
    }

    /// <summary>The answers as they come, until more than half of the Sentinels agree or all are through.</summary>
    static async Task<List<Answer>> AskAllAsync(
        RedisOptions options, SentinelOptions sentinels, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var asking = sentinels.Hosts.Select(host => AskAsync(options.Conn.Tls, sentinels, host, timeout, time, enough.Token)).ToList();
        var answers = new List<Answer>();
        try
        {
            while (asking.Count > 0)
            {
                var next = await Task.WhenAny(asking);
                asking.Remove(next);
                var answer = await next;
                answers.Add(answer);
                if (answer.Named is { } named && answers.Count(a => a.Named == named) * 2 > sentinels.Hosts.Count) break;
            }
            return answers;
        }
        finally
        {
            await enough.CancelAsync();
            foreach (var late in asking)
                try { await late; }
                catch (OperationCanceledException) { /* There were answers enough without it. */ }
        }
    }

    static async Task<Answer> AskAsync(
        TlsOptions? tls, SentinelOptions sentinels, HostPort host, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var options = new RedisConnectionOptions { Host = host.Host, Port = host.Port, User = sentinels.User, Password = sentinels.Password, Tls = tls };
        try
        {
            await using var connection = await RespConnection.ConnectAsync(options, timeout < longestQuestion ? timeout : longestQuestion, time, cancellationToken);
            var reply = await connection.ExecuteAsync(cancellationToken, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels.MasterName);
            if (reply.ErrorText.StartsWith("ERR unknown command", StringComparison.Ordinal))
                throw new SyncException(ExitCode.RedisUnsuitable, $"Redis at {host} is no Sentinel; name Sentinels under redis.sentinel.hosts, their port is 26379 by default.");
            reply.OrThrow(connection.Endpoint, connection.User);
            if (reply.IsNull)
                throw new SyncException(ExitCode.Configuration,
                    $"No Sentinel knows a master named '{sentinels.MasterName}' (asked {string.Join(", ", sentinels.Hosts)}); check redis.sentinel.masterName.");
            return new Answer { Named = Parse(reply) ?? throw new RedisTransientException("it answers with something else than an address", outcomeUnknown: false) };
        }
        catch (SyncException e)
        {
            // What is wrong with a login is said of redis.conn below, which is not what was used here.
            return new Answer
            {
                Refusal = e.Code != ExitCode.RedisAuthentication ? e : new SyncException(e.Code,
                    $"The Sentinel at {host} refuses {(string.IsNullOrEmpty(sentinels.User) ? "the default user" : $"user '{sentinels.User}'")}; "
                    + "check redis.sentinel.user and redis.sentinel.password, and that the user may run SENTINEL and INFO.", e),
            };
        }
        catch (RedisTransientException e)
        {
            return new Answer { Passing = new RedisTransientException($"Sentinel {host}: {e.Message}", outcomeUnknown: false, e) };
        }
    }

    static HostPort? Parse(RespValue reply)
    {
        if (reply.Kind != RespKind.Array || reply.Items.Count != 2 || reply.Items.Any(item => item.Kind != RespKind.Bulk)) return null;
        return int.TryParse(reply.Items[1].AsString(), NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= ushort.MaxValue
            ? new HostPort(reply.Items[0].AsString()!, port)
            : null;
    }

    /// <summary>What one Sentinel says; exactly one of the three is set.</summary>
    sealed record Answer
    {
        public HostPort? Named { get; init; }
        public RedisTransientException? Passing { get; init; }
        public SyncException? Refusal { get; init; }
    }
}

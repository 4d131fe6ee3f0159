using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Postgres.Connections;

/// <summary>Finds the primary among the configured hosts and makes connections alike.</summary>
public sealed class PostgresConnector
{
    /// <summary>What our connections call themselves, to people and to each other.</summary>
    internal const string ApplicationName = "actorsync";

    /// <summary>How long one host may take to accept a connection, in seconds.</summary>
    internal const int ConnectTimeoutSeconds = 10;

    /// <summary>
    /// How values look as text must not depend on the server's, database's or role's settings: the stream, the snapshot and
    /// re-read rows have to render one value alike. Time-outs of the role would end snapshots and the idle transaction that
    /// keeps an exported snapshot alive.
    /// </summary>
    internal const string SessionSettings =
        "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1 -c timezone=UTC -c bytea_output=hex -c client_encoding=UTF8"
        + " -c statement_timeout=0 -c idle_in_transaction_session_timeout=0";

    readonly PostgresConnectionOptions options;

    /// <param name="options">Where and as whom.</param>
    /// <exception cref="SyncException">A TLS file is missing or unusable.</exception>
    public PostgresConnector(PostgresConnectionOptions options)
    {
        this.options = options;
        foreach (var host in options.Hosts) _ = Build(host, replication: false);
    }

    /// <summary>The first of the configured hosts, in their order, that is not in recovery. The caller disposes it.</summary>
    /// <exception cref="SyncException">
    /// No host answers, or only standbys (<see cref="ExitCode.PostgresUnreachable"/>, worth another try); user or password are
    /// refused, the database is missing, or TLS fails (not worth one).
    /// </exception>
    public async Task<PostgresPrimary> FindPrimaryAsync(CancellationToken ct = default)
    {
        var standbys = new List<HostPort>();
        var failures = new List<(HostPort Host, Exception Error)>();
        foreach (var host in options.Hosts)
        {
            var candidate = Candidate(host);
            try
            {
                await using var command = candidate.DataSource.CreateCommand("select pg_is_in_recovery()");
                if (await command.ExecuteScalarAsync(ct) is false) return candidate;
                standbys.Add(host);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                failures.Add((host, e));
            }
            catch
            {
                await candidate.DisposeAsync();
                // A connection that fails while it is being given up says so in its own way.
                ct.ThrowIfCancellationRequested();
                throw;
            }
            await candidate.DisposeAsync();
        }
        throw NoPrimary(standbys, failures);
    }

    /// <summary>
    /// The same for what opens connections of the driver by itself: those go to whichever of the hosts is the primary at that moment. Holds the password.
    /// </summary>
    public string ConnectionString()
    {
        var builder = Build(options.Hosts[0], replication: false);
        builder.MaxPoolSize = 8;
        if (options.Hosts.Count == 1) return builder.ConnectionString;
        builder.Host = string.Join(',', options.Hosts);
        builder.TargetSessionAttributes = "primary";
        return builder.ConnectionString;
    }

    SyncException NoPrimary(List<HostPort> standbys, List<(HostPort Host, Exception Error)> failures)
    {
        foreach (var (host, error) in failures)
            if (PostgresErrors.ToSyncException(error, host, options) is { Code: not ExitCode.PostgresUnreachable } fatal) return fatal;

        string unreachable = string.Join(", ", failures.Select(f => $"{f.Host} ({PostgresErrors.Cause(f.Error)})"));
        string message = (standbys.Count, failures.Count) switch
        {
            (0, 0) => "No PostgreSQL host is configured: set postgres.conn.host.",
            (0, _) => $"PostgreSQL can't be reached at {unreachable}: check postgres.conn.host and port, and that the server runs.",
            (_, 0) => $"Only standbys were found at {string.Join(", ", standbys)}: add the primary to postgres.conn.host.",
            _ => $"No primary was found: {string.Join(", ", standbys)} in recovery, {unreachable} not reachable.",
        };
        return new SyncException(ExitCode.PostgresUnreachable, message, failures.FirstOrDefault().Error);
    }

    PostgresPrimary Candidate(HostPort host) =>
        new(host, options, NpgsqlDataSource.Create(Build(host, replication: false)), Build(host, replication: true).ConnectionString);

    NpgsqlConnectionStringBuilder Build(HostPort host, bool replication)
    {
        var builder = new NpgsqlConnectionStringBuilder
        {
            Host = host.Host,
            Port = host.Port,
            Database = options.Database,
            Username = options.User,
            Password = options.Password.IsSet ? options.Password.Reveal() : null,
            ApplicationName = PostgresConnector.ApplicationName,
            Options = SessionSettings,
            Timeout = ConnectTimeoutSeconds,
            CommandTimeout = 30,
            Pooling = !replication,
            ReadBufferSize = 16 * 1024,
            MaxPoolSize = 64,
            Enlist = false,
            GssEncryptionMode = GssEncryptionMode.Disable,
        };
        // A peer that vanished without a word is noticed after about 10 + 9 × 10 s; the kernel's default is two hours. Unix sockets know no such thing.
        if (!host.Host.StartsWith('/')) (builder.TcpKeepAlive, builder.TcpKeepAliveTime, builder.TcpKeepAliveInterval) = (true, 10, 10);
        TlsFiles.Apply(builder, options.Tls);
        return builder;
    }
}

using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Wire;
using Sync.Postgres.Wire.Passwords;

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

    /// <summary>
    /// The encoding of a database that does not know what its bytes mean. Asked for UTF-8 it refuses to send what is none, so its connections ask for no encoding and get the bytes as they are.
    /// </summary>
    internal const string BytesEncoding = "SQL_ASCII";

    /// <summary>The settings for a database in that encoding.</summary>
    internal static readonly string BytesSessionSettings = SessionSettings.Replace("client_encoding=UTF8", $"client_encoding={BytesEncoding}", StringComparison.Ordinal);

    readonly PostgresConnectionOptions options;

    /// <param name="options">Where and as whom.</param>
    /// <exception cref="SyncException">A TLS file is missing or unusable.</exception>
    public PostgresConnector(PostgresConnectionOptions options)
    {
        this.options = options;
        foreach (var host in options.Hosts) _ = Build(host, password: null, replication: false);
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
            string? password = await PasswordAsync(host, ct);
            var candidate = Candidate(host, password, holdsBytes: false);
            try
            {
                var (encoding, isDirect) = await AskAsync(candidate, ct);
                if (encoding is not null && encoding != BytesEncoding)
                {
                    candidate.IsDirect = isDirect;
                    return candidate;
                }
                if (encoding == BytesEncoding)
                {
                    await candidate.DisposeAsync();
                    return Candidate(host, password, holdsBytes: true, isDirect);
                }
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
    public async Task<string> ConnectionStringAsync(CancellationToken ct = default)
    {
        var passwords = new HashSet<string?>();
        foreach (var host in options.Hosts) passwords.Add(await PasswordAsync(host, ct));
        // One text holds one password; where hosts have different ones, the driver looks into the password file by itself.
        var builder = Build(options.Hosts[0], passwords.Count == 1 ? passwords.Single() : null, replication: false);
        builder.MaxPoolSize = 8;
        if (options.Hosts.Count == 1) return builder.ConnectionString;
        builder.Host = string.Join(',', options.Hosts);
        builder.TargetSessionAttributes = "primary";
        return builder.ConnectionString;
    }

    /// <summary>
    /// The encoding of the database, or null on a standby; and whether the connection ends at PostgreSQL itself: a pooler makes up the process's number that it gives at login
    /// (PostgreSQL docs, "Message Formats", BackendKeyData).
    /// </summary>
    static async Task<(string? Encoding, bool IsDirect)> AskAsync(PostgresPrimary candidate, CancellationToken ct)
    {
        await using var connection = await candidate.DataSource.OpenConnectionAsync(ct);
        await using var command = new NpgsqlCommand("select case when not pg_is_in_recovery() then current_setting('server_encoding') end, pg_backend_pid()", connection);
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        return (row.IsDBNull(0) ? null : row.GetString(0), row.GetInt32(1) == connection.ProcessID);
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

    PostgresPrimary Candidate(HostPort host, string? password, bool holdsBytes, bool isDirect = true) => new(
        host, options, NpgsqlDataSource.Create(Build(host, password, replication: false, holdsBytes)), Build(host, password, replication: true, holdsBytes).ConnectionString, holdsBytes)
    {
        IsDirect = isDirect,
    };

    /// <summary>
    /// The password as the driver has to have it. For SCRAM it has to be prepared, which the driver leaves out; for every other way of asking it must not be. So the server is asked for its way
    /// where that makes a difference.
    /// </summary>
    async Task<string?> PasswordAsync(HostPort host, CancellationToken ct)
    {
        if (GivenPassword.Of(options, host) is not { } given) return null;
        string prepared = SaslPrep.Prepare(given);
        if (prepared == given) return given;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromSeconds(ConnectTimeoutSeconds));
        try
        {
            return await WireConnection.IsScramAsync(host, options, SessionSettings, limit.Token) ? prepared : given;
        }
        catch (Exception) when (!ct.IsCancellationRequested)
        {
            // The driver meets the same and says it.
            return given;
        }
    }

    NpgsqlConnectionStringBuilder Build(HostPort host, string? password, bool replication, bool holdsBytes = false)
    {
        var builder = new NpgsqlConnectionStringBuilder
        {
            Host = host.Host,
            Port = host.Port,
            Database = options.Database,
            Username = options.User,
            Password = password,
            ApplicationName = PostgresConnector.ApplicationName,
            Options = holdsBytes ? BytesSessionSettings : SessionSettings,
            ClientEncoding = holdsBytes ? BytesEncoding : null,
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

using System.Globalization;
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

    /// <summary>How long other hosts have to answer once one is found to be a primary.</summary>
    static readonly TimeSpan othersHave = TimeSpan.FromSeconds(1);

    readonly PostgresConnectionOptions options;

    /// <param name="options">Where and as whom.</param>
    /// <exception cref="SyncException">A TLS file is missing or unusable.</exception>
    public PostgresConnector(PostgresConnectionOptions options)
    {
        this.options = options;
        foreach (var host in options.Hosts) _ = Build(host, password: null, replication: false);
    }

    /// <summary>
    /// The one of the configured hosts that is not in recovery. Of several it is the one on the latest timeline: a former primary that comes back after another server was promoted
    /// takes writes as well, and is not the one to follow. Of these the first in the order of the configuration. The caller disposes it.
    /// </summary>
    /// <exception cref="SyncException">
    /// No host answers, or only standbys (<see cref="ExitCode.PostgresUnreachable"/>, worth another try); user or password are
    /// refused, the database is missing, or TLS fails (not worth one).
    /// </exception>
    public async Task<PostgresPrimary> FindPrimaryAsync(CancellationToken ct = default)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var looks = options.Hosts.Select(host => LookAsync(host, enough.Token)).ToList();
        for (var open = looks.ToList(); open.Count > 0;)
        {
            var look = await Task.WhenAny(open);
            open.Remove(look);
            // The others have a moment to say that they are later; one that is gone is not waited for.
            if ((await look).Found is not null && open.Count > 0) enough.CancelAfter(othersHave);
        }
        ct.ThrowIfCancellationRequested();
        var answers = looks.ConvertAll(look => look.Result);
        return answers.Where(a => a.Found is not null).MaxBy(a => a.Found!.Timeline) is { Found: { } found } chosen
            ? Primary(chosen.Host, found)
            : throw NoPrimary([.. answers.Where(a => a.Error is null).Select(a => a.Host)], [.. answers.Where(a => a.Error is not null).Select(a => (a.Host, a.Error!))]);
    }

    /// <param name="Timeline">The timeline that the primary writes.</param>
    /// <param name="Password">The password, in the form that the server takes.</param>
    /// <param name="HoldsBytes">Whether the database is in <see cref="BytesEncoding"/>.</param>
    /// <param name="IsDirect">
    /// Whether the connection ends at PostgreSQL itself: a pooler makes up the process's number that it gives at login (PostgreSQL docs, "Message Formats", BackendKeyData).
    /// </param>
    sealed record PrimaryFacts(uint Timeline, string? Password, bool HoldsBytes, bool IsDirect);

    /// <param name="Host">Which host.</param>
    /// <param name="Found">What a primary is like; null for a standby, and where there is an error.</param>
    /// <param name="Error">Why the host did not answer; null when it did.</param>
    sealed record Answer(HostPort Host, PrimaryFacts? Found, Exception? Error);

    async Task<Answer> LookAsync(HostPort host, CancellationToken ct)
    {
        try
        {
            string? password = await PasswordAsync(host, ct);
            await using var connection = new NpgsqlConnection(Build(host, password, replication: true).ConnectionString);
            await connection.OpenAsync(ct);
            await using var command = new NpgsqlCommand(
                "select case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_lsn()), 8) end, current_setting('server_encoding'), pg_backend_pid()", connection);
            await using var row = await command.ExecuteReaderAsync(ct);
            await row.ReadAsync(ct);
            if (row.IsDBNull(0)) return new Answer(host, null, null);
            uint timeline = uint.Parse(row.GetString(0), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            return new Answer(host, new PrimaryFacts(timeline, password, row.GetString(1) == BytesEncoding, row.GetInt32(2) == connection.ProcessID), null);
        }
        catch (Exception e)
        {
            return new Answer(host, null, e);
        }
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

    PostgresPrimary Primary(HostPort host, PrimaryFacts found) => new(
        host, options, NpgsqlDataSource.Create(Build(host, found.Password, replication: false, found.HoldsBytes)),
        Build(host, found.Password, replication: true, found.HoldsBytes).ConnectionString, found.HoldsBytes)
    {
        IsDirect = found.IsDirect,
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

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

    /// <summary>How long other hosts have to answer once one is found to be a primary.</summary>
    static readonly TimeSpan othersHave = TimeSpan.FromSeconds(1);

    readonly PostgresConnectionOptions options;

    /// <param name="options">Where and as whom.</param>
    /// <exception cref="SyncException">A TLS file is missing or unusable.</exception>
    public PostgresConnector(PostgresConnectionOptions options)
    {
        this.options = options;
        foreach (var host in options.Hosts) _ = Build(host, ServerChecks.MinimumMajor, password: null);
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

    /// <param name="Major">The server's major version, which has to be known before the sessions to work with: each sets what its version knows.</param>
    /// <param name="Timeline">The timeline that the primary writes.</param>
    /// <param name="Password">The password, in the form that the server takes.</param>
    /// <param name="HoldsBytes">Whether the database is in <see cref="SessionSettings.BytesEncoding"/>.</param>
    /// <param name="IsDirect">
    /// Whether the connection ends at PostgreSQL itself: a pooler makes up the process's number that it gives at login (PostgreSQL docs, "Message Formats", BackendKeyData).
    /// </param>
    sealed record PrimaryFacts(int Major, uint Timeline, string? Password, bool HoldsBytes, bool IsDirect);

    /// <param name="Host">Which host.</param>
    /// <param name="Found">What a primary is like; null for a standby, and where there is an error.</param>
    /// <param name="Error">Why the host did not answer; null when it did.</param>
    sealed record Answer(HostPort Host, PrimaryFacts? Found, Exception? Error);

    async Task<Answer> LookAsync(HostPort host, CancellationToken ct)
    {
        try
        {
            string? password = await PasswordAsync(host, ct);
            var first = Build(host, ServerChecks.MinimumMajor, password);
            first.Pooling = false;
            await using var connection = new NpgsqlConnection(first.ConnectionString);
            await connection.OpenAsync(ct);
            await using var command = new NpgsqlCommand(
                "select case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_lsn()), 8) end, current_setting('server_encoding'), pg_backend_pid()", connection);
            await using var row = await command.ExecuteReaderAsync(ct);
            await row.ReadAsync(ct);
            if (row.IsDBNull(0)) return new Answer(host, null, null);
            uint timeline = uint.Parse(row.GetString(0), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            bool holdsBytes = row.GetString(1) == SessionSettings.BytesEncoding, isDirect = row.GetInt32(2) == connection.ProcessID;
            return new Answer(host, new PrimaryFacts(connection.PostgreSqlVersion.Major, timeline, password, holdsBytes, isDirect), null);
        }
        catch (Exception e)
        {
            return new Answer(host, null, e);
        }
    }

    /// <summary>
    /// The same for what opens connections of the driver by itself: those go to whichever of the hosts is the primary at that moment. Holds the password.
    /// </summary>
    /// <param name="major">Major version of the server, as far as it is known.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<string> ConnectionStringAsync(int major = ServerChecks.MinimumMajor, CancellationToken ct = default)
    {
        var passwords = new HashSet<string?>();
        foreach (var host in options.Hosts) passwords.Add(await PasswordAsync(host, ct));
        // One text holds one password; where hosts have different ones, the driver looks into the password file by itself.
        var builder = Build(options.Hosts[0], major, passwords.Count == 1 ? passwords.Single() : null);
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

    PostgresPrimary Primary(HostPort host, PrimaryFacts found)
    {
        NpgsqlConnectionStringBuilder Settings() => Build(host, found.Major, found.Password, found.HoldsBytes);
        NpgsqlConnectionStringBuilder reading = Settings(), replication = Settings();
        // COPY sends nothing before its first rows, and a condition that finds few rows may take long. Not pooled, so that a session that was cut off is never handed out again.
        (reading.CommandTimeout, reading.Pooling, reading.ReadBufferSize) = (0, false, 64 * 1024);
        replication.Pooling = false;
        var sessions = new OwnSessions();
        NpgsqlDataSource Source(NpgsqlConnectionStringBuilder settings) => Checked(settings, host, sessions, found.HoldsBytes);
        return new PostgresPrimary(host, options, Source(Settings()), Source(reading), replication.ConnectionString, sessions, found.Major, found.HoldsBytes) { IsDirect = found.IsDirect };
    }

    static NpgsqlDataSource Checked(NpgsqlConnectionStringBuilder settings, HostPort host, OwnSessions sessions, bool holdsBytes)
    {
        Task BeginAsync(NpgsqlConnection connection)
        {
            sessions.Add(connection.ProcessID);
            return SessionSettings.CheckAsync(connection, host, holdsBytes, CancellationToken.None);
        }
        return new NpgsqlDataSourceBuilder(settings.ConnectionString)
            .UsePhysicalConnectionInitializer(connection => BeginAsync(connection).GetAwaiter().GetResult(), BeginAsync).Build();
    }

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
            return await WireConnection.IsScramAsync(host, options, SessionSettings.Options(ServerChecks.MinimumMajor), limit.Token) ? prepared : given;
        }
        catch (Exception) when (!ct.IsCancellationRequested)
        {
            // The driver meets the same and says it.
            return given;
        }
    }

    NpgsqlConnectionStringBuilder Build(HostPort host, int major, string? password, bool holdsBytes = false)
    {
        var builder = new NpgsqlConnectionStringBuilder
        {
            Host = host.Host,
            Port = host.Port,
            Database = options.Database,
            Username = options.User,
            Password = password,
            ApplicationName = PostgresConnector.ApplicationName,
            Options = SessionSettings.Options(major, holdsBytes),
            ClientEncoding = holdsBytes ? SessionSettings.BytesEncoding : null,
            Timeout = ConnectTimeoutSeconds,
            CommandTimeout = 30,
            Pooling = true,
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

using System.Globalization;
using Npgsql;
using Npgsql.Replication;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Wire;

namespace Sync.Postgres.Connections;

/// <summary>
/// The server that was the primary when it was found. It may stop being one at any time; then its connections fail and
/// <see cref="PostgresConnector.FindPrimaryAsync"/> is asked again. Safe for use by several threads.
/// </summary>
public sealed class PostgresPrimary : IAsyncDisposable
{
    readonly NpgsqlDataSource reading;
    readonly string replicationConnectionString;

    internal PostgresPrimary(HostPort address, PostgresConnectionOptions options, NpgsqlDataSource dataSource, NpgsqlDataSource reading, string replicationConnectionString,
        OwnSessions sessions, int major, bool holdsBytes)
    {
        HoldsBytes = holdsBytes;
        Address = address;
        Options = options;
        DataSource = dataSource;
        this.reading = reading;
        this.replicationConnectionString = replicationConnectionString;
        Sessions = sessions;
        Major = major;
    }

    public HostPort Address { get; }
    public PostgresConnectionOptions Options { get; }

    /// <summary>Whether the database is in SQL_ASCII: its texts are bytes of any meaning.</summary>
    public bool HoldsBytes { get; }

    /// <summary>Whether connections end at PostgreSQL itself, and not at a pooler or proxy in front of it.</summary>
    public bool IsDirect { get; internal init; } = true;

    /// <summary>What to know of connections that are not <see cref="IsDirect"/>.</summary>
    public string ProxyWarning =>
        $"At {Address} PostgreSQL does not answer itself, but a pooler or a proxy in front of it (the process number that it gives is not the server's)."
        + " One that shares server sessions between clients breaks locks and settings: connect directly, or make sure that it keeps one server session for each session of ours.";

    /// <summary>The server's processes that work for this object, as far as they were begun through it.</summary>
    internal OwnSessions Sessions { get; }

    /// <summary>The server's major version.</summary>
    public int Major { get; }

    /// <summary>Pooled ordinary connections; ended by <see cref="DisposeAsync"/>.</summary>
    public NpgsqlDataSource DataSource { get; }

    /// <summary>Opens an ordinary connection; the caller disposes it.</summary>
    /// <exception cref="SyncException">The server can't be reached or refuses.</exception>
    public Task<NpgsqlConnection> OpenAsync(CancellationToken ct = default) => OpenAsync(DataSource, ct);

    /// <summary>Opens a connection to read rows with: it is not pooled, and its statements may take as long as they need. The caller disposes it.</summary>
    /// <exception cref="SyncException">The server can't be reached or refuses.</exception>
    public Task<NpgsqlConnection> OpenReadingAsync(CancellationToken ct = default) => OpenAsync(reading, ct);

    async Task<NpgsqlConnection> OpenAsync(NpgsqlDataSource source, CancellationToken ct)
    {
        try
        {
            return await source.OpenConnectionAsync(ct);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Describe(e);
        }
    }

    /// <summary>
    /// Opens a connection of the driver that speaks the replication protocol (PostgreSQL docs, "Streaming Replication Protocol"), to
    /// make a slot with; the caller disposes it.
    /// </summary>
    /// <exception cref="SyncException">The server can't be reached, refuses, or the user may not replicate.</exception>
    public async Task<LogicalReplicationConnection> OpenReplicationAsync(CancellationToken ct = default)
    {
        var connection = new LogicalReplicationConnection(replicationConnectionString);
        try
        {
            await connection.Open(ct);
            Sessions.Add(connection.ProcessID);
            var actual = new Dictionary<string, string>();
            foreach (string name in SessionSettings.Names(Major)) actual[name] = await connection.Show(name, ct);
            SessionSettings.Ensure(actual, Major, Address, HoldsBytes);
            return connection;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync();
            if (e is OperationCanceledException) throw;
            throw DescribeReplication(e);
        }
    }

    /// <summary>
    /// Opens the connection of a stream; the caller disposes it. Its values are rendered with the same session settings as those of
    /// ordinary connections.
    /// </summary>
    /// <exception cref="SyncException">The server can't be reached, refuses, or the user may not replicate.</exception>
    internal async Task<WireConnection> OpenWireAsync(CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromSeconds(PostgresConnector.ConnectTimeoutSeconds));
        try
        {
            var connection = await WireConnection.OpenAsync(Address, Options, SessionSettings.Options(Major, HoldsBytes), limit.Token);
            try
            {
                SessionSettings.Ensure(await connection.PairsAsync(SessionSettings.Query, limit.Token), Major, Address, HoldsBytes);
                return connection;
            }
            catch
            {
                await connection.DisposeAsync();
                throw;
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw Describe(new TimeoutException($"no answer within {PostgresConnector.ConnectTimeoutSeconds} s"));
        }
        catch (PgOutputException e)
        {
            throw Describe(new IOException("it does not speak the protocol of PostgreSQL", e));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw DescribeReplication(e);
        }
    }

    /// <summary>Which log the server writes and where it ends, asked by a replication connection of its own.</summary>
    /// <exception cref="SyncException">The server can't be reached, refuses, or the user may not replicate.</exception>
    public async Task<ServerLog> ReadLogAsync(CancellationToken ct = default)
    {
        await using var connection = await OpenWireAsync(ct);
        try
        {
            var log = await connection.ReadLogAsync(ct);
            await connection.LeaveAsync(ct);
            return log;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Describe(e);
        }
    }

    SyncException DescribeReplication(Exception error) => error is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege }
        ? new SyncException(ExitCode.Schema,
            $"User {Options.User} may not use replication on {Address}: run ALTER ROLE {Sql.Identifier(Options.User)} REPLICATION.", error)
        : Describe(error);

    public async Task<ServerFacts> ReadFactsAsync(CancellationToken ct = default)
    {
        // pg_control's timeline is that of the last checkpoint and lags behind a promotion; the name of the current WAL file does not.
        await using var command = DataSource.CreateCommand("""
            select current_setting('server_version_num')::int, current_setting('server_version'),
                   (select system_identifier from pg_control_system()), pg_walfile_name(pg_current_wal_lsn()),
                   current_setting('wal_level'), current_setting('max_replication_slots')::int,
                   (select count(*)::int from pg_replication_slots), current_setting('max_wal_senders')::int, pg_current_wal_lsn()::text
            """);
        try
        {
            await using var row = await command.ExecuteReaderAsync(ct);
            await row.ReadAsync(ct);
            return new ServerFacts(
                row.GetInt32(0), row.GetString(1), unchecked((ulong)row.GetInt64(2)),
                uint.Parse(row.GetString(3).AsSpan(0, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                row.GetString(4), row.GetInt32(5), row.GetInt32(6), row.GetInt32(7), Lsn.Parse(row.GetString(8)));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw Describe(e);
        }
    }

    /// <summary>A driver's error as a sentence about this server.</summary>
    public SyncException Describe(Exception error) => PostgresErrors.ToSyncException(error, Address, Options);

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await reading.DisposeAsync();
    }
}

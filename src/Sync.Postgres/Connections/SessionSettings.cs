using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Postgres.Connections;

/// <summary>
/// What each of our sessions sets, whatever the server, the database or the role prefers, and the check that it took. A connection pooler may drop the options of a login without a word;
/// then values would look different in stream and copy, or rows would be hidden. Why: docs/adr/0025-sessions-and-privileges.md.
/// </summary>
static class SessionSettings
{
    /// <param name="Name">Of the setting, in lower case.</param>
    /// <param name="Value">What it is set to.</param>
    /// <param name="Since">The major version that introduced it: an older server refuses the login for a name that it does not know.</param>
    sealed record Setting(string Name, string Value, int Since = ServerChecks.MinimumMajor)
    {
        /// <summary>DateStyle has a second half, which says how dates are read.</summary>
        public bool IsTaken(string actual) => Name == "datestyle" ? actual.StartsWith("ISO", StringComparison.OrdinalIgnoreCase) : actual.Equals(Value, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// The encoding of a database that does not know what its bytes mean. Asked for UTF-8 it refuses to send what is none, so its sessions ask for no encoding and get the bytes as they are.
    /// </summary>
    public const string BytesEncoding = "SQL_ASCII";

    const string Encoding = "client_encoding";

    static readonly Setting[] all =
    [
        // The stream, the snapshot and re-read rows have to render one value alike; names of tables in values (regclass) depend on the search path.
        new("datestyle", "ISO"), new("intervalstyle", "postgres"), new("extra_float_digits", "1"), new("timezone", "UTC"), new("bytea_output", "hex"), new(Encoding, "UTF8"),
        new("search_path", "public"), new("standard_conforming_strings", "on"),
        // A row that a policy would hide makes PostgreSQL refuse the query: a hidden row must not be taken for one that does not exist.
        new("row_security", "off"),
        // Time-outs of the role would end waits for locks, long copies, and the idle transaction that keeps an exported snapshot alive.
        new("statement_timeout", "0"), new("lock_timeout", "0"), new("idle_in_transaction_session_timeout", "0"), new("idle_session_timeout", "0", 14), new("transaction_timeout", "0", 17),
        // Publication, slot, leases and messages are written.
        new("default_transaction_read_only", "off"), new("default_transaction_isolation", "read committed"), new("default_transaction_deferrable", "off"),
    ];

    /// <summary>Gives name and value of each setting; for servers of any version.</summary>
    public static readonly string Query = $"select lower(name), setting from pg_settings where lower(name) in ({string.Join(", ", all.Select(s => Sql.Literal(s.Name)))})";

    /// <summary>All settings that the version knows, as command line options of the server's process.</summary>
    /// <param name="major">The server's major version.</param>
    /// <param name="holdsBytes">Whether the database is in <see cref="BytesEncoding"/>.</param>
    public static string Options(int major, bool holdsBytes = false) => string.Join(' ', Known(major, holdsBytes).Select(s => $"-c {s.Name}={s.Value.Replace(" ", "\\ ", StringComparison.Ordinal)}"));

    /// <summary>Names of the settings that the version knows.</summary>
    public static IEnumerable<string> Names(int major) => Known(major, holdsBytes: false).Select(s => s.Name);

    static IEnumerable<Setting> Known(int major, bool holdsBytes) =>
        all.Where(s => s.Since <= major).Select(s => holdsBytes && s.Name == Encoding ? s with { Value = BytesEncoding } : s);

    /// <summary>Judges what a session has. Pure.</summary>
    /// <exception cref="SyncException">A setting did not take.</exception>
    public static void Ensure(IReadOnlyDictionary<string, string> actual, int major, HostPort address, bool holdsBytes = false)
    {
        var missed = Known(major, holdsBytes).Where(s => !actual.TryGetValue(s.Name, out string? value) || !s.IsTaken(value)).ToList();
        if (missed.Count == 0) return;
        string list = string.Join(", ", missed.Select(s => $"{s.Name} is {(actual.TryGetValue(s.Name, out string? value) ? Shown(value) : "unknown")} instead of {s.Value}"));
        throw new SyncException(ExitCode.PostgresUnsuitable,
            $"PostgreSQL at {address} did not take the settings of our session ({list}): a connection pooler drops them, or a login trigger changes them."
            + " Connect directly to PostgreSQL, not through a pooler, in postgres.conn.host and port.");
    }

    static string Shown(string value) => value.Length == 0 ? "empty" : value.Length > 60 ? value[..60] + "…" : value;

    /// <summary>Asks a new session of the driver what it has.</summary>
    /// <exception cref="SyncException">A setting did not take.</exception>
    public static async Task CheckAsync(NpgsqlConnection connection, HostPort address, bool holdsBytes, CancellationToken cancellationToken)
    {
        var actual = new Dictionary<string, string>();
        await using (var command = new NpgsqlCommand(Query, connection))
        await using (var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
            while (await row.ReadAsync(cancellationToken).ConfigureAwait(false)) actual[row.GetString(0)] = row.GetString(1);
        Ensure(actual, connection.PostgreSqlVersion.Major, address, holdsBytes);
    }
}

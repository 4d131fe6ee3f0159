using System.Globalization;
using System.Text;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Node.Telemetry;
using Sync.Postgres.Catalog;

namespace Sync.Node.Commands.Init;

/// <summary>What the starter file is made of.</summary>
/// <param name="Conn">Where the tables were found.</param>
/// <param name="Version">PostgreSQL's version, for the comment.</param>
/// <param name="Repl">Publication and slot, if a configuration names them already; null to name them after the database.</param>
/// <param name="Redis">Where Redis is.</param>
/// <param name="Tables">What to follow.</param>
sealed record StarterFacts(PostgresConnectionOptions Conn, string Version, ReplicationOptions? Repl, HostPort Redis, IReadOnlyList<TableFacts> Tables);

/// <summary>Writes a first configuration with comments that say why it is so. Never holds a password.</summary>
static class StarterConfig
{
    /// <summary>Whether a row of the table has a key of its own.</summary>
    public static bool IsFollowed(TableFacts table) => table.PrimaryKey.Count > 0;

    public static string Write(StarterFacts facts)
    {
        var text = new StringBuilder();
        Connections(text, facts);
        text.Append("""

            # Each table says what a row becomes. {%pk%} is the primary key, {pairs:*} every column as field and value, {json:*} the
            # row as JSON, {column} one value. Deletes undo what was written. The whole grammar: docs/configuration.md.
            tables:

            """);
        foreach (var table in facts.Tables.Where(IsFollowed)) Followed(text, table);
        foreach (var table in facts.Tables.Where(t => !IsFollowed(t))) LeftOut(text, table);
        return text.ToString();
    }

    static void Connections(StringBuilder text, StarterFacts facts)
    {
        var conn = facts.Conn;
        string hosts = string.Join(",", conn.Hosts.Select(h => h.Host));
        bool onePort = conn.Hosts.Select(h => h.Port).Distinct().Count() == 1;
        string ports = onePort ? $"{conn.Hosts[0].Port}" : YamlText.Quoted(string.Join(",", conn.Hosts.Select(h => h.Port)));
        string name = facts.Repl is { Pub.Length: > 0 } given ? given.Pub : Name(conn.Database);
        string slot = facts.Repl is { Slot.Length: > 0 } already ? already.Slot : Name(conn.Database);
        text.Append(CultureInfo.InvariantCulture, $"""
            # Written by actorsync init from database {LineLogger.OneLine(conn.Database)} of PostgreSQL {LineLogger.OneLine(facts.Version)}.
            # Check it with: actorsync validate --connect

            postgres:
              conn:
                host: {YamlText.Scalar(hosts)}
                port: {ports}
                database: {YamlText.Scalar(conn.Database)}
                user: {YamlText.Scalar(conn.User)}
                # The password does not belong here: set ACTORSYNC_POSTGRES_CONN_PASSWORD.

            """);
        Tls(text, conn.Tls);
        text.Append(CultureInfo.InvariantCulture, $"""
              repl:
                pub: {YamlText.Scalar(name)}   # the publication, created by the first run and kept in step with the tables below
                slot: {YamlText.Scalar(slot)}   # the replication slot; PostgreSQL keeps WAL for it, so drop it when it is not needed any more
                owner: app   # with "user", ActorSync creates and alters nothing and only checks

            redis:
              conn:
                host: {YamlText.Scalar(facts.Redis.Host)}
                port: {facts.Redis.Port}

            """);
    }

    static void Tls(StringBuilder text, TlsOptions? tls)
    {
        if (tls is null) return;
        string files = string.Join(", ", new[] { ("cert", tls.Cert), ("key", tls.Key), ("rootCert", tls.RootCert) }
            .Where(file => file.Item2 is not null).Select(file => $"{file.Item1}: {YamlText.Quoted(Path.GetFullPath(file.Item2!))}"));
        text.Append(CultureInfo.InvariantCulture, $"    tls: {{{files}}}\n");
    }

    static void Followed(StringBuilder text, TableFacts table)
    {
        string key = string.Join(", ", table.PrimaryKey.Select(i => table.Columns[i].Name));
        Comment(text, $"{Rows(table)}primary key ({key})");
        if (table.Identity != ReplicaIdentity.Full && Wide(table) is { Length: > 0 } wide)
            Comment(text, $"Long values of {wide} are not sent again by updates that leave them alone. A hash keeps them; with {{json:*}} they are read again, "
                + $"unless you run ALTER TABLE {SqlName.Of(table.Name)} REPLICA IDENTITY FULL.");
        if (!table.HasIdentity)
            Comment(text, "PostgreSQL will refuse updates and deletes once it is published, because its replica identity is not the primary key.");
        text.Append(CultureInfo.InvariantCulture, $"""
              - {Key(table)}:
                  commands:
                    - ["HSET", {YamlText.Quoted(Template(table.Name.ToString()) + ":{%pk%}")}, {YamlText.Quoted("{pairs:*}")}]


            """);
    }

    static void LeftOut(StringBuilder text, TableFacts table)
    {
        Comment(text, $"{Rows(table)}left out: it has no primary key, so that a row has no key of its own. Add one, or use commands that need none:");
        text.Append(CultureInfo.InvariantCulture, $"""
              # - {Key(table)}:
              #     insert:
              #       commands:
              #         - ["XADD", {YamlText.Quoted(Template(table.Name.ToString()))}, "MAXLEN", "~", "100000", "*", {YamlText.Quoted("{pairs:*}")}]


            """);
    }

    static void Comment(StringBuilder text, string comment) => text.Append("  # ").Append(LineLogger.OneLine(comment)).Append('\n');

    static string Rows(TableFacts table) => table.EstimatedRows is { } rows ? string.Create(CultureInfo.InvariantCulture, $"about {rows:N0} rows, ") : "";

    /// <summary>Columns whose values PostgreSQL may store out of line (TOAST): text, varchar, json, jsonb, bytea by the OIDs of pg_type.</summary>
    static string Wide(TableFacts table) =>
        string.Join(", ", table.Columns.Where(c => c.TypeOid is 25 or 1043 or 114 or 3802 or 17 && !c.InIdentity).Select(c => c.Name));

    static string Key(TableFacts table) => YamlText.Scalar($"{Part(table.Name.Schema)}.{Part(table.Name.Name)}");

    /// <summary>A part of a table's name as the configuration reads it.</summary>
    static string Part(string name) =>
        name.Contains('.') || name.Contains('"') || name.Trim() != name ? $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : name;

    static string Template(string text) => text.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal);

    /// <summary>A name for publication and slot; slots take lower-case letters, digits and underscores, at most 63.</summary>
    static string Name(string database)
    {
        string letters = string.Concat(database.ToLowerInvariant().Select(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) ? c : '_'));
        return $"actorsync_{letters}"[..Math.Min(63, letters.Length + 10)];
    }
}

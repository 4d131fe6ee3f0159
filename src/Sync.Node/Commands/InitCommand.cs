using System.CommandLine;
using System.Text;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Commands.Init;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;

namespace Sync.Node.Commands;

/// <summary><c>actorsync init</c>: a first configuration from what is in a database.</summary>
static class InitCommand
{
    const string Stdout = "-";

    public static Command Create(CommandSession session)
    {
        var host = new Option<string?>("--host") { Description = "PostgreSQL's host; several joined by commas.", HelpName = "HOST" };
        var port = new Option<int?>("--port") { Description = "PostgreSQL's port.", HelpName = "PORT" };
        var database = new Option<string?>("--database", "-d") { Description = "The database.", HelpName = "NAME" };
        var user = new Option<string?>("--user", "-U")
        {
            Description = "The user. The password comes from ACTORSYNC_POSTGRES_CONN_PASSWORD or PGPASSWORD.",
            HelpName = "NAME",
        };
        var redis = new Option<string>("--redis") { Description = "Where Redis is.", HelpName = "HOST:PORT", DefaultValueFactory = _ => "localhost:6379" };
        var tables = new Option<string?>("--tables") { Description = "Only these tables; without it all that can be followed.", HelpName = "A,B" };
        var output = new Option<string>("--output", "-o")
        {
            Description = "The file to write; - for stdout.",
            HelpName = "FILE",
            DefaultValueFactory = _ => "config.yaml",
        };
        var force = new Option<bool>("--force") { Description = "Overwrite the file." };
        var command = new TaughtCommand("init", "Writes a commented starter configuration from the tables of a live database.",
            "actorsync init --database shop --user app        # writes config.yaml",
            "PGPASSWORD=… actorsync init --host db1 --database shop --user app --tables orders,products",
            "actorsync init --config old.yaml --output new.yaml   # connects as old.yaml says",
            "actorsync init --output -                        # only shows it")
        {
            host, port, database, user, redis, tables, output, force,
        };
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            var configured = parsed.GetValue(session.ConfigOption) is null ? null : session.Load(parsed).Config;
            var flags = new InitFlags(parsed.GetValue(host), parsed.GetValue(port), parsed.GetValue(database), parsed.GetValue(user));
            var conn = StarterSource.Of(flags, configured?.Postgres.Conn, session.Environment);
            var redisAt = Address(parsed.GetValue(redis)!);
            var names = Names(parsed.GetValue(tables));
            string file = parsed.GetValue(output)!;
            string path = Path.GetFullPath(file, session.WorkingDirectory);
            // Before anything else: who has a file already should not have to wait to hear of it.
            if (file != Stdout && !parsed.GetValue(force) && File.Exists(path))
                throw new SyncException(ExitCode.Usage, $"{file} exists already: write another file with --output, or overwrite it with --force.");
            var facts = await ReadAsync(conn, configured?.Postgres.Repl, redisAt, names, session, signals.Token);
            string text = StarterConfig.Write(facts);
            if (file == Stdout) session.Out.Write(text);
            else Save(path, file, text, parsed.GetValue(force));
            Tell(facts, file, session);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    static async Task<StarterFacts> ReadAsync(
        PostgresConnectionOptions conn, ReplicationOptions? repl, HostPort redis, IReadOnlyList<TableName> names, CommandSession session,
        CancellationToken cancellationToken)
    {
        await using var primary = await new PostgresConnector(conn).FindPrimaryAsync(cancellationToken);
        await using var watch = WaitWatch.Start(primary, session.Waiting, session.Time);
        try
        {
            var server = await primary.ReadFactsAsync(cancellationToken);
            foreach (var problem in ServerChecks.Find(server, repl ?? new ReplicationOptions())) session.Say($"warning: {problem.Message}");
            var found = await new CatalogReader(primary.DataSource).ListTablesAsync(cancellationToken);
            var missing = names.Where(name => found.All(t => t.Name != name)).ToList();
            if (missing.Count > 0)
                throw new SyncException(ExitCode.Schema,
                    $"Database {conn.Database} has no table {string.Join(", ", missing)} that could be followed: correct --tables.");
            var wanted = names.Count == 0 ? found : [.. found.Where(t => names.Contains(t.Name))];
            if (wanted.Count == 0)
                throw new SyncException(ExitCode.Schema, $"Database {conn.Database} has no tables that could be followed: name another one with --database.");
            return new StarterFacts(conn, server.Version, repl, redis, wanted);
        }
        catch (NpgsqlException e)
        {
            throw primary.Describe(e);
        }
    }

    static List<TableName> Names(string? list)
    {
        var names = new List<TableName>();
        foreach (string text in (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            names.Add(TableName.TryParse(text, out var name) ? name : throw new SyncException(ExitCode.Usage, $"'{text}' is no table's name: write schema.table."));
        return names;
    }

    static HostPort Address(string text) => AddressText.TryParse(text, UnixSocket.File, out var address, out string problem)
        ? address.At(6379)
        : throw new SyncException(ExitCode.Usage, $"--redis {problem}.");

    static void Save(string path, string name, string text, bool overwrite)
    {
        try
        {
            using var file = new FileStream(path, overwrite ? FileMode.Create : FileMode.CreateNew, FileAccess.Write);
            file.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SyncException(ExitCode.Usage, $"{name} can't be written: {e.Message.TrimEnd('.')}; choose another place with --output.", e);
        }
    }

    static void Tell(StarterFacts facts, string file, CommandSession session)
    {
        int followed = facts.Tables.Count(StarterConfig.IsFollowed), left = facts.Tables.Count - followed;
        string counts = $"{followed} {(followed == 1 ? "table" : "tables")}{(left > 0 ? $", {left} without a primary key commented out" : "")}";
        if (followed == 0) session.Say($"warning: no table has a primary key, so none is followed yet: edit the file, it says what to do.");
        if (file == Stdout) return;
        session.Out.WriteLine($"Wrote {file}: {counts}.");
        session.Out.WriteLine($"Next: actorsync validate --connect --config {file}, then actorsync run --config {file}");
    }
}

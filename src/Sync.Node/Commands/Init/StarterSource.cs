using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Node.Commands.Init;

/// <summary>What the command line says about the database; null for what it leaves open.</summary>
sealed record InitFlags(string? Host, int? Port, string? Database, string? User);

/// <summary>
/// Where <c>init</c> connects to: the flags, else the configuration that <c>--config</c> names, else the variables of ActorSync, else those of
/// PostgreSQL's own clients (PostgreSQL docs, libpq, "Environment Variables"), else the defaults.
/// </summary>
static class StarterSource
{
    static readonly (string Ours, string Theirs)[] names =
        [("HOST", "PGHOST"), ("PORT", "PGPORT"), ("DATABASE", "PGDATABASE"), ("USER", "PGUSER"), ("PASSWORD", "PGPASSWORD")];

    /// <exception cref="SyncException">A port is no port.</exception>
    public static PostgresConnectionOptions Of(InitFlags flags, PostgresConnectionOptions? configured, IReadOnlyDictionary<string, string> environment)
    {
        var found = configured ?? FromEnvironment(environment);
        if (flags.Host is { } host) found = found with { Hosts = Hosts(host, flags.Port ?? found.Hosts[0].Port) };
        else if (flags.Port is { } port) found = found with { Hosts = [.. found.Hosts.Select(h => h with { Port = port })] };
        return found with { Database = flags.Database ?? found.Database, User = flags.User ?? found.User };
    }

    static PostgresConnectionOptions FromEnvironment(IReadOnlyDictionary<string, string> environment)
    {
        string? Get(string ours)
        {
            string theirs = names.First(n => n.Ours == ours).Theirs;
            foreach (string name in (string[])[$"ACTORSYNC_POSTGRES_CONN_{ours}", $"PG2REDIS_POSTGRES_CONN_{ours}", theirs])
                if (environment.TryGetValue(name, out string? value) && value.Length > 0) return value;
            return null;
        }
        string user = Get("USER") ?? "postgres";
        return new PostgresConnectionOptions
        {
            Hosts = Hosts(Get("HOST") ?? "localhost", Get("PORT") is { } port ? Port(port) : 5432),
            Database = Get("DATABASE") ?? user,
            User = user,
            Password = new Secret(Get("PASSWORD")),
        };
    }

    static HostPort[] Hosts(string list, int port) =>
        [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(host => new HostPort(host, port))];

    static int Port(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and < 65536 ? port
            : throw new SyncException(ExitCode.Usage, $"'{text}' is no port: write a number from 1 to 65535.");
}

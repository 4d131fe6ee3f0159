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

    /// <exception cref="SyncException">An address or a port is none.</exception>
    public static PostgresConnectionOptions Of(InitFlags flags, PostgresConnectionOptions? configured, IReadOnlyDictionary<string, string> environment)
    {
        var found = configured ?? FromEnvironment(environment);
        if (flags.Host is { } host) found = found with { Hosts = Hosts("--host", host, flags.Port is { } only ? [only] : [], found.Hosts[0].Port) };
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
            Hosts = Hosts("The host in the environment", Get("HOST") ?? "localhost", Get("PORT") is { } ports ? [.. ports.Split(',').Select(p => Port(p.Trim()))] : [], 5432),
            Database = Get("DATABASE") ?? user,
            User = user,
            Password = new Secret(Get("PASSWORD")),
        };
    }

    /// <param name="source">Where the list comes from, for messages.</param>
    /// <param name="list">Addresses with commas.</param>
    /// <param name="ports">None, one for all, or as many as addresses.</param>
    /// <param name="otherwise">The port of an address that has none by either way.</param>
    static HostPort[] Hosts(string source, string list, IReadOnlyList<int> ports, int otherwise)
    {
        string[] texts = list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (ports.Count > 1 && ports.Count != texts.Length) throw new SyncException(ExitCode.Usage, $"{source} names {texts.Length} addresses and {ports.Count} ports: name one port or as many as hosts.");
        return [.. texts.Select((text, i) => One(source, text, ports.Count switch { 0 => null, 1 => ports[0], _ => ports[i] }).At(otherwise))];
    }

    static AddressText One(string source, string text, int? port)
    {
        if (!AddressText.TryParse(text, UnixSocket.Folder, out var address, out string problem)) throw new SyncException(ExitCode.Usage, $"{source} {problem}.");
        return address.Port is { } own && port is { } other && own != other
            ? throw new SyncException(ExitCode.Usage, $"{source} says port {own} for {address.Host}, and the port is given as {other}: name it once.")
            : address with { Port = address.Port ?? port };
    }

    static int Port(string text) => AddressText.PortOf(text) ?? throw new SyncException(ExitCode.Usage, $"'{text}' is no port: write a number from 1 to 65535.");
}

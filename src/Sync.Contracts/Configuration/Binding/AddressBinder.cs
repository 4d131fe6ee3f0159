using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>Reads keys that hold addresses.</summary>
static class AddressBinder
{
    const int PostgresPort = 5432;

    /// <summary>A list of addresses; each may carry its port.</summary>
    public static List<HostPort> List(SectionReader section, string name, string path, int defaultPort, BindContext context)
    {
        var found = new List<HostPort>();
        foreach (var text in section.Texts(name))
            if (AddressText.TryParse(text.Text!, UnixSocket.None, out var address, out string problem)) found.Add(address.At(defaultPort));
            else context.Issues.Error(text.Position, $"'{path}' {problem}");
        return found;
    }

    /// <summary>One address in two keys, <c>host</c> and <c>port</c>; the host may carry the port instead.</summary>
    /// <param name="conn">The section that has them.</param>
    /// <param name="path">Of the section.</param>
    /// <param name="socket">Which socket the host may name.</param>
    /// <param name="otherwise">Host and port that count where none is given.</param>
    /// <param name="context">Where mistakes go.</param>
    public static HostPort One(SectionReader conn, string path, UnixSocket socket, HostPort otherwise, BindContext context)
    {
        int port = conn.Integer("port", otherwise.Port);
        if (conn.Text("host") is not { } text) return otherwise with { Port = port };
        if (text.Contains(',') && !text.StartsWith('/'))
            context.Issues.Error(conn.PositionOf("host"), $"'{path}.host' names several hosts and can name one: nodes of a Redis Cluster belong in 'redis.nodes', Sentinels in 'redis.sentinel.hosts'");
        else if (!AddressText.TryParse(text, socket, out var address, out string problem))
            context.Issues.Error(conn.PositionOf("host"), $"'{path}.host' {problem}");
        else
        {
            if (conn.Has("port")) CheckSame(address, port, conn.PositionOf("host"), path, context);
            return address.At(port);
        }
        return otherwise with { Port = port };
    }

    /// <summary>The hosts of PostgreSQL, with one port for all, as many ports as hosts, or a port in each host.</summary>
    public static IReadOnlyList<HostPort> Postgres(SectionReader conn, BindContext context)
    {
        const string path = "postgres.conn";
        var hosts = conn.Texts("host");
        var ports = new List<int>();
        foreach (var text in conn.Texts("port"))
            if (AddressText.PortOf(text.Text!) is { } port) ports.Add(port);
            else
            {
                context.Issues.Error(text.Position, $"'{path}.port' must be whole numbers from 1 to 65535, not '{Shown.Short(text.Text!)}'");
                return [];
            }
        int count = Math.Max(1, hosts.Count);
        if (ports.Count > 1 && ports.Count != count)
        {
            context.Issues.Error(conn.PositionOf("port"), $"'{path}.port' must be one port or as many as hosts ({count}), not {ports.Count}");
            return [];
        }
        int? PortAt(int i) => ports.Count switch { 0 => null, 1 => ports[0], _ => ports[i] };
        if (hosts.Count == 0) return [new HostPort("localhost", PortAt(0) ?? PostgresPort)];
        var found = new List<HostPort>();
        foreach (var (i, host) in hosts.Index())
        {
            if (host.Text!.Length == 0) context.Issues.Error(host.Position, $"'{path}.host' names an empty host");
            else if (!AddressText.TryParse(host.Text, UnixSocket.Folder, out var address, out string problem)) context.Issues.Error(host.Position, $"'{path}.host' {problem}");
            else
            {
                if (PortAt(i) is { } port) CheckSame(address, port, host.Position, path, context);
                found.Add(address.At(PortAt(i) ?? PostgresPort));
            }
        }
        return found;
    }

    /// <summary>A host whose port has a key of its own and no other place.</summary>
    /// <returns>Null when there is none, or none that can be used.</returns>
    public static string? HostOnly(SectionReader section, string path, bool mayBeAny, BindContext context)
    {
        var key = ConfigKeys.At(path);
        if (section.Text(key.Name) is not { } text) return null;
        if (mayBeAny && text is "*" or "+") return text;
        string? problem = !AddressText.TryParse(text, UnixSocket.None, out var address, out _) ? $"must be a host name or an IP address, not '{Shown.Short(text)}'"
            : address.Port is null ? null
            : $"must be a host name or an IP address without a port, not '{Shown.Short(text)}': the port belongs in '{key.Parent}.port'";
        if (problem is null) return address.Host;
        context.Issues.Error(section.PositionOf(key.Name), $"'{path}' {problem}");
        return null;
    }

    static void CheckSame(AddressText address, int port, SourcePosition position, string path, BindContext context)
    {
        if (address.Port is { } own && own != port)
            context.Issues.Error(position, $"'{path}.host' says port {own} for {address.Host} and '{path}.port' says {port}: name the port in one of them");
    }
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration;

/// <summary>Which Unix socket an address may name by a path instead of a host.</summary>
public enum UnixSocket
{
    None,
    /// <summary>PostgreSQL's way: the folder; the file in it carries the port.</summary>
    Folder,
    /// <summary>Redis' way: the file itself.</summary>
    File,
}

/// <summary>
/// An address as a user writes it: <c>host</c>, <c>host:port</c>, an IPv6 address, <c>[IPv6 address]</c>, <c>[IPv6 address]:port</c>, or the path of a Unix socket.
/// Every address of a configuration and of the command line is read here, and the connections get host and port apart, so that all of them understand the same.
/// </summary>
/// <param name="Host">A name, an IP address without brackets, or a path.</param>
/// <param name="Port">Null where none is written.</param>
public readonly record struct AddressText(string Host, int? Port)
{
    /// <summary>The bytes that a socket's path may have (unix(7)), without the final zero.</summary>
    const int LongestSocketPath = 107;

    /// <summary>Longest file in a folder of PostgreSQL.</summary>
    const string LongestSocketFile = "/.s.PGSQL.65535";

    public HostPort At(int otherwise) => new(Host, Port ?? otherwise);

    /// <param name="text">What the user wrote.</param>
    /// <param name="socket">Which socket may be named.</param>
    /// <param name="address">The address.</param>
    /// <param name="problem">What it must be and is not, to stand behind the name of a key; it holds no password.</param>
    public static bool TryParse(string text, UnixSocket socket, out AddressText address, out string problem)
    {
        address = default;
        problem = "";
        text = text.Trim();
        string? reason = null;
        if (text.Contains('\0')) reason = "it holds a NUL character";
        else if (text.StartsWith('/')) reason = Path(text, socket, out address);
        else if (text.Contains("://", StringComparison.Ordinal) || text.Contains('@'))
        {
            // Not repeated: it may hold a password.
            problem = $"must be {Expectation(socket)}, not a URL; user, password and database have keys of their own";
            return false;
        }
        else reason = Network(text, out address);
        if (reason is not null) problem = $"must be {Expectation(socket)}, not '{Shown.Short(text)}': {reason}";
        return reason is null;
    }

    /// <summary>A port from 1 to 65535; null for anything else.</summary>
    public static int? PortOf(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is >= 1 and <= ushort.MaxValue ? port : null;

    static string Expectation(UnixSocket socket) => "host, host:port, an IPv6 address or [IPv6 address]:port" + socket switch
    {
        UnixSocket.Folder => ", or the folder of a Unix socket",
        UnixSocket.File => ", or the path of a Unix socket",
        _ => "",
    };

    static string? Network(string text, out AddressText address)
    {
        address = default;
        string host = text;
        string? port = null;
        int colon = text.IndexOf(':');
        if (text.StartsWith('['))
        {
            int end = text.IndexOf(']');
            if (end < 0) return "its bracket is not closed";
            host = text[1..end];
            string rest = text[(end + 1)..];
            if (!IsIPv6(host)) return $"'{Shown.Short(host)}' is no IPv6 address";
            if (rest.Length > 0 && rest[0] != ':') return "only :port may follow the bracket";
            if (rest.Length > 0) port = rest[1..];
        }
        else if (colon >= 0 && !IsIPv6(text))
        {
            if (text.LastIndexOf(':') > colon) return "that is no IPv6 address; one with a port stands in brackets";
            (host, port) = (text[..colon], text[(colon + 1)..]);
        }
        if (NameProblem(host) is { } problem) return problem;
        if (port is not null && PortOf(port) is null) return $"'{Shown.Short(port)}' is no port from 1 to 65535";
        address = new AddressText(host, port is null ? null : PortOf(port));
        return null;
    }

    static string? NameProblem(string host)
    {
        if (host.Length == 0) return "the host is empty";
        if (host.Contains('/')) return "the path of a Unix socket begins with a slash";
        if (IPAddress.TryParse(host, out _)) return null;
        if (host.All(c => char.IsAsciiDigit(c) || c == '.')) return $"'{Shown.Short(host)}' is no IPv4 address";
        return Uri.CheckHostName(host) == UriHostNameType.Unknown ? $"'{Shown.Short(host)}' is no host name" : null;
    }

    static string? Path(string text, UnixSocket socket, out AddressText address)
    {
        address = default;
        if (socket == UnixSocket.None) return "a Unix socket can't be used here";
        string path = text;
        int? port = null;
        if (socket == UnixSocket.Folder && text.IndexOf(':') is >= 0 and var colon)
        {
            // The driver takes what follows a colon for a port, whatever it is.
            if (PortOf(text[(colon + 1)..]) is not { } number) return "a folder whose name holds a colon can't be used";
            (path, port) = (text[..colon], number);
        }
        if (path.Length > 1) path = path.TrimEnd('/');
        int longest = LongestSocketPath - (socket == UnixSocket.Folder ? LongestSocketFile.Length : 0);
        if (Encoding.UTF8.GetByteCount(path) > longest) return $"the path of a Unix socket may have {longest} bytes here";
        address = new AddressText(path, port);
        return null;
    }

    /// <summary>The class of the framework also takes brackets, ports and prefix lengths.</summary>
    static bool IsIPv6(string text) =>
        text.Contains(':') && text.AsSpan().IndexOfAny('[', ']', '/') < 0 && IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6;
}

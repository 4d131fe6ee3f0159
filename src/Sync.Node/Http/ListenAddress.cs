using System.Net;
using System.Net.Sockets;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Node.Http;

/// <summary>Turns <c>http.host</c> into addresses to listen on, and into the URL at which people reach them.</summary>
public static class ListenAddress
{
    /// <exception cref="SyncException">The name is not known.</exception>
    public static async Task<IReadOnlyList<IPAddress>> ResolveAsync(HttpOptions options, CancellationToken cancellationToken)
    {
        string host = options.Host.Trim('[', ']');
        if (host is "*" or "+") return [IPAddress.Any];
        if (IPAddress.TryParse(host, out var address)) return [address];
        // Not both loopback addresses: a free port of one need not be free on the other.
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase)) return [IPAddress.Loopback];
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(host, cancellationToken);
            if (addresses.Length > 0) return options.Port == 0 ? addresses[..1] : addresses;
        }
        catch (SocketException)
        {
            // Said below.
        }
        throw new SyncException(ExitCode.HttpAddress,
            $"The host name '{options.Host}' of http.host is not known: name an address of this machine, such as 127.0.0.1 or 0.0.0.0.");
    }

    /// <summary>Where a client on this machine finds the endpoint: a wildcard is reached by loopback.</summary>
    public static Uri UrlOf(string host, int port)
    {
        host = host.Trim('[', ']');
        if (host is "*" or "+") host = "127.0.0.1";
        if (IPAddress.TryParse(host, out var address))
        {
            if (address.Equals(IPAddress.Any)) address = IPAddress.Loopback;
            if (address.Equals(IPAddress.IPv6Any)) address = IPAddress.IPv6Loopback;
            host = address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
        }
        return new Uri($"http://{host}:{port}");
    }
}

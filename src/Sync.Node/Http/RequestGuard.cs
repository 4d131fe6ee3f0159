using System.Net;
using Microsoft.Net.Http.Headers;
using Sync.Contracts.Configuration;

namespace Sync.Node.Http;

/// <summary>
/// What a browser on the same machine could be made to do. A page of a stranger may point its own host name at 127.0.0.1
/// (DNS rebinding) and then read us as its own site: so names we are not called by are refused. It may also send forms across
/// sites: so whatever changes something needs a header that forms can't send and that scripts of other sites may not.
/// </summary>
/// <param name="options">The address we were told to listen on.</param>
/// <param name="isLoopback">Whether only this machine reaches us.</param>
sealed class RequestGuard(HttpOptions options, bool isLoopback)
{
    public const string Header = "X-ActorSync";

    /// <summary>
    /// Addresses can't be rebound, only names can. Where other machines reach us, names are theirs to give, so health and
    /// metrics, which tell nothing of the data, answer to any.
    /// </summary>
    public bool IsAllowedHost(HostString host, PathString path)
    {
        if (!isLoopback && (path.StartsWithSegments("/metrics") || path.StartsWithSegments("/healthz"))) return true;
        string name = host.Host.Trim('[', ']').TrimEnd('.');
        return IPAddress.TryParse(name, out _)
            || name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || name.Equals(options.Host, StringComparison.OrdinalIgnoreCase)
            || (!isLoopback && name.Equals(Dns.GetHostName(), StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Why a request that changes something is refused; null when it may go on.</summary>
    public static (int Status, string Error)? Refuses(HttpRequest request)
    {
        if (request.Headers[Header] != "1") return (StatusCodes.Status403Forbidden, $"a request that changes something needs the header {Header}: 1");
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
            return (StatusCodes.Status415UnsupportedMediaType, "the body has to be application/json");
        return null;
    }
}

using System.Net;
using System.Net.Sockets;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Hosting;

/// <summary>Looks the addresses behind a DNS name up.</summary>
/// <exception cref="SocketException">The name is not known now.</exception>
public delegate Task<IPAddress[]> LookUp(string name, CancellationToken cancellationToken);

/// <summary>
/// Turns the seeds of the configuration into addresses of nodes. The first seed is the one that may begin a new cluster, so all nodes have to see the
/// same first one: names stay in their order, and the addresses behind a DNS name are sorted by their bytes, because a name server shuffles them.
/// Resolved once, at start: later on the cluster's own gossip says who is a member.
/// </summary>
public static class SeedResolver
{
    static readonly TimeSpan delay = TimeSpan.FromSeconds(1);

    /// <summary>How often a name that is not known is looked up: behind a name that follows its nodes there is nobody before the first of them has started.</summary>
    internal const int Attempts = 30;

    /// <param name="seeds">The seeds of the configuration.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">No seed has an address (<see cref="ExitCode.ClusterSeeds"/>).</exception>
    public static Task<IReadOnlyList<HostPort>> ResolveAsync(IReadOnlyList<ClusterSeed> seeds, CancellationToken cancellationToken) =>
        ResolveAsync(seeds, Dns.GetHostAddressesAsync, TimeProvider.System, cancellationToken);

    internal static async Task<IReadOnlyList<HostPort>> ResolveAsync(
        IReadOnlyList<ClusterSeed> seeds, LookUp lookUp, TimeProvider time, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            var (found, unknown) = await TryAsync(seeds, lookUp, cancellationToken);
            if (unknown.Count == 0 && found.Count > 0) return found;
            if (attempt >= Attempts)
            {
                // Other seeds will do: a name that went away must not keep a node from joining those that are there.
                if (found.Count > 0) return found;
                throw new SyncException(ExitCode.ClusterSeeds,
                    $"No address is known for {string.Join(" nor ", unknown)}: check cluster.seeds, and that the name server knows the nodes before they are ready.");
            }
            await Task.Delay(delay, time, cancellationToken);
        }
    }

    static async Task<(List<HostPort> Found, List<string> Unknown)> TryAsync(IReadOnlyList<ClusterSeed> seeds, LookUp lookUp, CancellationToken cancellationToken)
    {
        var found = new List<HostPort>();
        var unknown = new List<string>();
        foreach (var seed in seeds)
        {
            if (!seed.IsDnsName)
            {
                found.Add(seed.Address);
                continue;
            }
            IPAddress[] addresses;
            try
            {
                addresses = await lookUp(seed.Address.Host, cancellationToken);
            }
            catch (SocketException)
            {
                addresses = [];
            }
            if (addresses.Length == 0) unknown.Add(seed.Address.Host);
            found.AddRange(InOrder(addresses).Select(a => new HostPort(a.ToString(), seed.Address.Port)));
        }
        return ([.. found.Distinct()], unknown);
    }

    static IEnumerable<IPAddress> InOrder(IPAddress[] addresses) => addresses
        .Select(a => a.IsIPv4MappedToIPv6 ? a.MapToIPv4() : a)
        .OrderBy(a => a.GetAddressBytes(), Comparer<byte[]>.Create(static (a, b) => a.Length != b.Length ? a.Length - b.Length : a.AsSpan().SequenceCompareTo(b)));
}

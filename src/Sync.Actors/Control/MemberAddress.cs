using Akka.Actor;
using Akka.Cluster;

namespace Sync.Actors.Control;

/// <summary>People name a node by host and port; Akka.NET by an address with protocol and system.</summary>
static class MemberAddress
{
    /// <summary>How people see it.</summary>
    public static string Of(Address address) => $"{address.Host}:{address.Port}";

    /// <summary>The same for the owner of a lease, whom Akka.NET calls <c>system@host:port</c>.</summary>
    public static string OfOwner(string owner) => owner[(owner.IndexOf('@') + 1)..];

    /// <summary>The member that somebody named, with or without protocol, or by its host alone if no other has it; null when there is none.</summary>
    public static Address? Find(ClusterEvent.CurrentClusterState state, string named)
    {
        if (state.Members.FirstOrDefault(m => Of(m.Address) == named || m.Address.ToString() == named) is { } member) return member.Address;
        var ofHost = state.Members.Where(m => m.Address.Host == named).Take(2).ToList();
        return ofHost.Count == 1 ? ofHost[0].Address : null;
    }
}

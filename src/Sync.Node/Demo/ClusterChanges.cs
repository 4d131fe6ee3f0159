using Sync.Node.Http;

namespace Sync.Node.Demo;

/// <summary>What happened in a cluster between two looks at it, in words.</summary>
static class ClusterChanges
{
    /// <param name="before">The look before; null for the first one.</param>
    /// <param name="after">This one.</param>
    /// <param name="nameOf">What people call the node of an address.</param>
    public static IEnumerable<string> Between(ClusterView? before, ClusterView after, Func<string, string> nameOf)
    {
        foreach (var member in after.Members)
        {
            var known = before?.Members.FirstOrDefault(m => m.Address == member.Address);
            string name = nameOf(member.Address);
            if (known?.Status != member.Status) yield return $"{name} is {member.Status}";
            if (member.Unreachable && known?.Unreachable != true) yield return $"{name} is not reached any more";
            if (!member.Unreachable && known?.Unreachable == true) yield return $"{name} is reached again";
        }
        foreach (var gone in (before?.Members ?? []).Where(m => after.Members.All(now => now.Address != m.Address))) yield return $"{nameOf(gone.Address)} is no member any more";
        if (before?.Reader != after.Reader) yield return after.Reader is { } reader ? $"{nameOf(reader)} is to read" : "no node is to read";
        if (before is { ReaderEpoch: > 0 } && before.ReaderEpoch < after.ReaderEpoch) yield return "reading begins anew";
        if (after.LanesKnown && Lanes(after, nameOf) is var lanes && (before is null || !before.LanesKnown || Lanes(before, nameOf) != lanes)) yield return $"lanes: {lanes}";
    }

    /// <summary>How many lanes each member has.</summary>
    public static string Lanes(ClusterView view, Func<string, string> nameOf) =>
        string.Join(", ", view.Members.Select(m => (Name: nameOf(m.Address), m.Lanes.Count)).OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => $"{m.Name} {m.Count}"));
}

using Sync.Contracts.Configuration;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Cluster;

/// <summary>Which master serves which hash slot, as one node said at one moment (Redis docs, CLUSTER SLOTS). Immutable.</summary>
public sealed class SlotMap
{
    readonly HostPort?[] owners;

    SlotMap(HostPort?[] owners)
    {
        this.owners = owners;
        Masters = [.. owners.OfType<HostPort>().Distinct()];
    }

    /// <summary>Masters that serve a slot.</summary>
    public IReadOnlyList<HostPort> Masters { get; }

    /// <summary>Null while nobody serves it.</summary>
    public HostPort? OwnerOf(int slot) => owners[slot];

    /// <summary>The first slot that a master serves.</summary>
    public int FirstOf(HostPort master) => Array.FindIndex(owners, o => o == master);

    /// <param name="reply">Of CLUSTER SLOTS.</param>
    /// <param name="asked">Who was asked: an empty address means itself.</param>
    /// <exception cref="RespProtocolException">The reply is none of CLUSTER SLOTS.</exception>
    public static SlotMap Parse(RespValue reply, string asked)
    {
        var owners = new HostPort?[HashSlots.Count];
        foreach (var range in reply.Items)
        {
            var items = range.Items;
            if (items.Count < 3 || items[2].Items.Count < 2) throw new RespProtocolException("CLUSTER SLOTS was answered with a range without a master.");
            long from = items[0].AsInt64(), to = items[1].AsInt64(), port = items[2].Items[1].AsInt64();
            if (from < 0 || to >= HashSlots.Count || from > to || port is < 1 or > ushort.MaxValue) throw new RespProtocolException("CLUSTER SLOTS was answered with slots or a port that do not exist.");
            string host = items[2].Items[0].AsString() is { Length: > 0 } named and not "?" ? named : asked;
            owners.AsSpan((int)from, (int)(to - from + 1)).Fill(new HostPort(host, (int)port));
        }
        return new SlotMap(owners);
    }
}

/// <summary>Where a node sends its client instead (Redis docs, "Redis cluster specification", "MOVED Redirection", "ASK redirection").</summary>
/// <param name="IsAsk">Only for the next request, behind ASKING; else from now on.</param>
/// <param name="Slot">The hash slot.</param>
/// <param name="Target">The other node; null when the node does not know its address.</param>
public readonly record struct Redirect(bool IsAsk, int Slot, HostPort? Target)
{
    /// <summary>Null for every other error.</summary>
    public static Redirect? Parse(string error, string asked)
    {
        string[] words = RedisErrors.Cause(error).Split(' ');
        if (words.Length < 3 || words[0] is not ("MOVED" or "ASK") || !int.TryParse(words[1], out int slot) || slot is < 0 or >= HashSlots.Count) return null;
        int colon = words[2].LastIndexOf(':');
        bool isAddress = colon >= 0 && int.TryParse(words[2].AsSpan(colon + 1), out int port) && port is > 0 and <= ushort.MaxValue;
        if (!isAddress) return new Redirect(words[0] == "ASK", slot, null);
        string host = words[2][..colon];
        return new Redirect(words[0] == "ASK", slot, new HostPort(host.Length > 0 ? host : asked, int.Parse(words[2].AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture)));
    }
}

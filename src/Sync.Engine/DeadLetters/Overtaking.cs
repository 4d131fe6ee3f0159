using Sync.Engine.Batching;

namespace Sync.Engine.DeadLetters;

/// <summary>
/// Redis goes on with a flight after a command it refused. Whatever made it refuse stays, so later commands on the same key are refused as well, unless
/// one of them replaces the key (SET, DEL): that one is applied, and the refused one has been overtaken.
/// </summary>
static class Overtaking
{
    /// <summary>The changes, by batch and entry, of which a refused command was followed by one that was applied and names the same key.</summary>
    public static HashSet<(int Batch, int Entry)> Find(IReadOnlyList<Batch> flight, IReadOnlyList<CommandFailure> failures)
    {
        var overtaken = new HashSet<(int, int)>();
        var refused = failures.Select(f => (f.Batch, f.Entry, f.Command)).ToHashSet();
        var waiting = new Dictionary<byte[], List<(int, int)>>(KeyBytesComparer.Instance);
        var lookup = waiting.GetAlternateLookup<ReadOnlySpan<byte>>();
        for (int batch = failures.Count > 0 ? failures[0].Batch : flight.Count; batch < flight.Count; batch++)
            for (int entry = 0; entry < flight[batch].Count; entry++)
            {
                var reader = new CommandReader(flight[batch].CommandsOf(flight[batch].Entries[entry]));
                for (int command = 0; reader.TryReadCommand(out int arguments); command++)
                {
                    bool isRefused = refused.Contains((batch, entry, command));
                    for (int i = 0; i < arguments; i++)
                    {
                        var argument = reader.ReadArgument();
                        // The name says no key, and of a refused command the first argument is the key it did not reach.
                        if (i == 0 || (isRefused && i > 1)) continue;
                        bool isKnown = lookup.TryGetValue(argument, out var before);
                        if (!isRefused && isKnown)
                        {
                            overtaken.UnionWith(before!);
                            lookup.Remove(argument);
                        }
                        if (!isRefused) continue;
                        if (!isKnown) waiting[argument.ToArray()] = before = [];
                        before!.Add((batch, entry));
                    }
                }
            }
        return overtaken;
    }
}

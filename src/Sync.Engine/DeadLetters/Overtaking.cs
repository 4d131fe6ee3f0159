using Sync.Engine.Batching;

namespace Sync.Engine.DeadLetters;

/// <summary>
/// Redis goes on with a flight after a command it refused. A later command that replaces what the refused one was about (the key, the field, the member) has
/// overtaken
/// it: were the refused one applied now, the older state would stand over the newer one. What only adds to a place overtakes nothing, since it is right
/// whatever
/// is added later, and neither does what is about another field or member of a key that rows share.
/// </summary>
static class Overtaking
{
    /// <param name="Entry">Whose command it is.</param>
    /// <param name="Part">The part of the key that it did not reach; null for all of it.</param>
    /// <param name="Replaces">Whether it would replace that.</param>
    sealed record Waiting((int Batch, int Entry) Entry, byte[]? Part, bool Replaces);

    /// <summary>The changes, by batch and entry, of which a refused command was followed by one that was applied and replaced what it was about.</summary>
    public static HashSet<(int Batch, int Entry)> Find(IReadOnlyList<Batch> flight, IReadOnlyList<CommandFailure> failures)
    {
        var overtaken = new HashSet<(int, int)>();
        var refused = failures.Select(f => (f.Batch, f.Entry, f.Command)).ToHashSet();
        var waiting = new Dictionary<byte[], List<Waiting>>(KeyBytesComparer.Instance);
        for (int batch = failures.Count > 0 ? failures[0].Batch : flight.Count; batch < flight.Count; batch++)
            for (int entry = 0; entry < flight[batch].Count; entry++)
            {
                var reader = new CommandReader(flight[batch].CommandsOf(flight[batch].Entries[entry]));
                for (int command = 0; reader.TryReadCommand(out int count); command++)
                {
                    byte[][] arguments = new byte[count][];
                    for (int i = 0; i < count; i++) arguments[i] = reader.ReadArgument().ToArray();
                    bool isRefused = refused.Contains((batch, entry, command));
                    foreach (var effect in CommandEffects.Of(arguments))
                    {
                        bool isKnown = waiting.TryGetValue(effect.Key, out var before);
                        if (!isRefused)
                        {
                            if (isKnown && effect.Replaces) overtaken.UnionWith(before!.Where(w => IsOvertaken(w, effect)).Select(w => w.Entry));
                            continue;
                        }
                        if (!isKnown) waiting[effect.Key] = before = [];
                        before!.Add(new Waiting((batch, entry), effect.Part, effect.Replaces));
                    }
                }
            }
        return overtaken;
    }

    /// <summary>What would replace the whole key would take away a part that is newer.</summary>
    static bool IsOvertaken(Waiting waiting, in CommandEffect by) =>
        by.Part is null || (waiting.Part is null ? waiting.Replaces : waiting.Part.AsSpan().SequenceEqual(by.Part));
}

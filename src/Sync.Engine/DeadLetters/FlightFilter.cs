using Sync.Engine.Batching;

namespace Sync.Engine.DeadLetters;

/// <summary>
/// Takes out of a flight what can't be written, and what has to wait behind it. Pure. Batches of a flight are never changed; where something
/// has to leave, a copy without it takes the batch's place.
/// </summary>
/// <param name="tables">Names of the tables, by their index in the configuration.</param>
public sealed class FlightFilter(IReadOnlyList<string> tables)
{
    const string Waits = "waits behind an earlier change of its key";

    /// <summary>
    /// Before sending: changes that could not be expressed, and every change of a parked key. Their keys are parked from then on.
    /// </summary>
    public IReadOnlyList<DeadLetter> TakeHeld(List<Batch> flight, ParkedKeys parked, DateTimeOffset now) =>
        parked.Count == 0 && !flight.Exists(static b => b.HasPoison) ? [] : Hold(flight, parked, now);

    List<DeadLetter> Hold(List<Batch> flight, ParkedKeys parked, DateTimeOffset now)
    {
        var held = new List<DeadLetter>();
        Rebuild(flight, (batch, index) =>
        {
            ref readonly var entry = ref batch.Entries[index];
            if (batch.ErrorOf(index) is { } error) held.Add(Letter(batch, entry, batch.CommandsOf(entry).ToArray(), error, 1, now));
            else if (parked.Contains(batch.Key(entry))) held.Add(Letter(batch, entry, batch.CommandsOf(entry).ToArray(), Waits, 0, now));
            else return true;
            parked.Add(batch.Key(entry));
            return false;
        });
        return held;
    }

    /// <summary>
    /// After a rejection, when nothing ran: the changes Redis refused and every later change of their keys. A key may be parked already because of a
    /// change behind this one that was taken out before; what stands before that one does not wait for it.
    /// </summary>
    public List<DeadLetter> TakeRefused(List<Batch> flight, IReadOnlyList<CommandFailure> failures, ParkedKeys parked, DateTimeOffset now)
    {
        var refused = failures.GroupBy(f => (f.Batch, f.Entry)).ToDictionary(g => (flight[g.Key.Batch], g.Key.Entry), g => g.First().Error);
        var taken = new List<DeadLetter>();
        var keys = new HashSet<byte[]>(KeyBytesComparer.Instance).GetAlternateLookup<ReadOnlySpan<byte>>();
        Rebuild(flight, (batch, index) =>
        {
            ref readonly var entry = ref batch.Entries[index];
            if (refused.TryGetValue((batch, index), out string? error)) taken.Add(Letter(batch, entry, batch.CommandsOf(entry).ToArray(), error, 1, now));
            else if (keys.Contains(batch.Key(entry))) taken.Add(Letter(batch, entry, batch.CommandsOf(entry).ToArray(), Waits, 0, now));
            else return true;
            keys.Add(batch.Key(entry));
            parked.Add(batch.Key(entry));
            return false;
        });
        return taken;
    }

    /// <summary>After an application with failures: the commands that failed, and only those, of each change.</summary>
    public List<DeadLetter> Failed(IReadOnlyList<Batch> flight, IReadOnlyList<CommandFailure> failures, DateTimeOffset now)
    {
        var overtaken = Overtaking.Find(flight, failures);
        return
        [
            .. failures.GroupBy(f => (f.Batch, f.Entry)).Select(g =>
            {
                var batch = flight[g.Key.Batch];
                var entry = batch.Entries[g.Key.Entry];
                var failed = g.Select(f => f.Command).ToHashSet();
                byte[] commands = CommandReader.Pick(batch.CommandsOf(entry), failed.Contains);
                return Letter(batch, entry, commands, g.First().Error, 1, now) with { IsOvertaken = overtaken.Contains(g.Key) };
            }),
        ];
    }

    static void Rebuild(List<Batch> flight, Func<Batch, int, bool> keep)
    {
        for (int i = 0; i < flight.Count; i++)
        {
            var batch = flight[i];
            bool[] kept = [.. Enumerable.Range(0, batch.Count).Select(index => keep(batch, index))];
            if (!kept.Contains(false)) continue;
            var copy = new Batch();
            for (int index = 0; index < kept.Length; index++)
                if (kept[index]) copy.AddCopy(batch, index);
            flight[i] = copy;
        }
    }

    DeadLetter Letter(Batch batch, in BatchEntry entry, byte[] commands, string error, int attempts, DateTimeOffset now) => new()
    {
        Position = entry.Position,
        Table = tables[entry.Table],
        Kind = entry.Kind,
        Key = batch.Key(entry).ToArray(),
        Commands = commands,
        Error = error,
        At = now,
        Attempts = attempts,
    };
}

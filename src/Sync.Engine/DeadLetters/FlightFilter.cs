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
    /// Before sending: changes that could not be expressed, changes that Redis can't take, and every change of a parked key. Their keys are parked from then
    /// on.
    /// </summary>
    public IReadOnlyList<DeadLetter> TakeHeld(List<Batch> flight, ParkedKeys parked, RedisLimits limits, DateTimeOffset now)
    {
        if (parked.Count > 0) return Hold(flight, parked, limits, now);
        foreach (var batch in flight)
            if (batch.HasPoison || batch.Body.Length > limits.SafeBytes) return Hold(flight, parked, limits, now);
        return [];
    }

    List<DeadLetter> Hold(List<Batch> flight, ParkedKeys parked, RedisLimits limits, DateTimeOffset now)
    {
        var held = new List<DeadLetter>();
        Rebuild(flight, (batch, index) =>
        {
            ref readonly var entry = ref batch.Entries[index];
            if (batch.ErrorOf(index) is { } error) held.Add(Letter(batch, index, batch.CommandsOf(entry), error, 1, limits, now));
            else if (parked.Contains(batch.Key(entry))) held.Add(Letter(batch, index, batch.CommandsOf(entry), Waits, 0, limits, now));
            else if (limits.Refuse(batch.CommandsOf(entry)) is { } oversize)
                held.Add(Letter(batch, index, batch.CommandsOf(entry), oversize.Text, 1, limits, now));
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
    public List<DeadLetter> TakeRefused(List<Batch> flight, IReadOnlyList<CommandFailure> failures, ParkedKeys parked, RedisLimits limits, DateTimeOffset now)
    {
        var refused = failures.GroupBy(f => (f.Batch, f.Entry)).ToDictionary(g => (flight[g.Key.Batch], g.Key.Entry), g => g.First().Error);
        var taken = new List<DeadLetter>();
        var keys = new HashSet<byte[]>(KeyBytesComparer.Instance).GetAlternateLookup<ReadOnlySpan<byte>>();
        Rebuild(flight, (batch, index) =>
        {
            ref readonly var entry = ref batch.Entries[index];
            if (refused.TryGetValue((batch, index), out string? error)) taken.Add(Letter(batch, index, batch.CommandsOf(entry), error, 1, limits, now));
            else if (keys.Contains(batch.Key(entry))) taken.Add(Letter(batch, index, batch.CommandsOf(entry), Waits, 0, limits, now));
            else return true;
            keys.Add(batch.Key(entry));
            parked.Add(batch.Key(entry));
            return false;
        });
        return taken;
    }

    /// <summary>After an application with failures: the commands that failed, and only those, of each change.</summary>
    public List<DeadLetter> Failed(IReadOnlyList<Batch> flight, IReadOnlyList<CommandFailure> failures, RedisLimits limits, DateTimeOffset now)
    {
        var overtaken = Overtaking.Find(flight, failures);
        return
        [
            .. failures.GroupBy(f => (f.Batch, f.Entry)).Select(g =>
            {
                var batch = flight[g.Key.Batch];
                var failed = g.Select(f => f.Command).ToHashSet();
                byte[] commands = CommandReader.Pick(batch.CommandsOf(batch.Entries[g.Key.Entry]), failed.Contains);
                return Letter(batch, g.Key.Entry, commands, g.First().Error, 1, limits, now) with { IsOvertaken = overtaken.Contains(g.Key) };
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

    /// <summary>The same dead letters, by reference where Redis can't take their commands; for limits that were learned since they were made.</summary>
    public static IReadOnlyList<DeadLetter> Fit(IReadOnlyList<DeadLetter> letters, RedisLimits limits) =>
        letters.Any(letter => letter.Commands.Length > limits.SafeBytes) ? [.. letters.Select(letter => Fit(letter, limits))] : letters;

    /// <summary>What Redis can't take as commands, it can't take as the content of a dead letter either: then the letter says which row it was.</summary>
    static DeadLetter Fit(DeadLetter letter, RedisLimits limits)
    {
        var commands = letter.Commands.Span;
        if (commands.Length <= limits.SafeBytes) return letter;
        var (setting, bytes) = limits.Refuse(commands) is { } oversize ? (oversize.Setting, oversize.LimitBytes)
            : commands.Length > limits.BulkBytes ? (limits.BulkName, limits.BulkBytes) : (limits.RequestName, limits.RequestBytes);
        return letter with
        {
            Commands = default,
            Reference = new DeadLetterReference(letter.Identity ?? "", string.Join(' ', CommandText.Names(commands)), commands.Length, setting, bytes),
        };
    }

    DeadLetter Letter(Batch batch, int index, ReadOnlySpan<byte> commands, string error, int attempts, RedisLimits limits, DateTimeOffset now)
    {
        ref readonly var entry = ref batch.Entries[index];
        return Fit(new DeadLetter
        {
            Position = entry.Position,
            Table = tables[entry.Table],
            Kind = entry.Kind,
            Key = batch.Key(entry).ToArray(),
            Commands = commands.ToArray(),
            Identity = batch.IdentityOf(index),
            Error = error,
            At = now,
            Attempts = attempts,
        }, limits);
    }
}

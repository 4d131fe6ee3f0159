using Sync.Contracts;
using Sync.Engine.Batching;

namespace Sync.Engine.Lanes;

/// <param name="Rows">Rows after which a flight is full, 1 or more.</param>
/// <param name="Bytes">Bytes after which a flight is full; a larger batch flies alone.</param>
public readonly record struct LaneFlightLimits(int Rows, int Bytes);

/// <summary>What a lane sends to Redis in one go: a run of its rows without a gap.</summary>
/// <param name="Batches">The rows, in order.</param>
/// <param name="Through">Number of the last row, counted from 1 over all that the lane took since its takeover.</param>
/// <param name="Reached">The lane's position once Redis has it; <see cref="Position.None"/> for rows of a copy, which record nothing.</param>
public sealed record LaneFlight(IReadOnlyList<Batch> Batches, long Through, Position Reached);

/// <summary>
/// Puts what the keys of a lane offer together into flights. A flight is made of whole batches from the begin of what is not home, all of whose rows are
/// offered, so it leaves no gap and one position says what Redis holds of the lane. Its rows are all written or all compared. One flight at a time is under way. It is kept until it is home: when the
/// writer was refused because an owner was replaced, and this lane is still ours, the same flight goes again.
/// <para>It never waits for ever: between two flights nothing of a key is under way, so each key offers all it has, and the oldest batch with it.</para>
/// Belongs to the lane alone.
/// </summary>
public sealed class LaneRounds(LaneFlightLimits limits)
{
    sealed class Part(Batch batch, long last)
    {
        public Batch Batch => batch;
        public long Last => last;
        public int Unoffered { get; set; } = batch.Count;
    }

    // Those from flown on are not in the flight under way.
    readonly List<Part> parts = [];
    int flown;

    /// <summary>How many rows were ever added, which is also the number of the last one.</summary>
    public long LastRow { get; private set; }

    /// <summary>Rows that are not home.</summary>
    public long Rows { get; private set; }

    /// <summary>Bytes of these rows.</summary>
    public long Bytes { get; private set; }

    /// <summary>What is with the writer; null when nothing is.</summary>
    public LaneFlight? UnderWay { get; private set; }

    /// <summary>Whether everything is home.</summary>
    public bool IsIdle => parts.Count == 0;

    /// <summary>Adds rows that were taken. The batch stays here until its flight is home.</summary>
    /// <returns>The number of the batch's first row; the others follow.</returns>
    public long Add(Batch batch)
    {
        ArgumentOutOfRangeException.ThrowIfZero(batch.Count);
        long first = LastRow + 1;
        LastRow += batch.Count;
        Rows += batch.Count;
        Bytes += batch.Bytes;
        parts.Add(new Part(batch, LastRow));
        return first;
    }

    /// <summary>A key offers a change set.</summary>
    /// <param name="rows">Their numbers, ascending; each row of the lane is offered once.</param>
    public void Offered(IReadOnlyList<long> rows)
    {
        int at = flown;
        for (int i = 0; i < rows.Count; i++)
        {
            while (parts[at].Last < rows[i]) at++;
            parts[at].Unoffered--;
        }
    }

    /// <summary>Begins the next flight; null while one is under way, or the oldest batch has rows that are not offered.</summary>
    public LaneFlight? Begin()
    {
        if (UnderWay is not null) return null;
        int rows = 0;
        long bytes = 0;
        var reached = Position.None;
        while (flown < parts.Count && parts[flown].Unoffered == 0)
        {
            var batch = parts[flown].Batch;
            // What is compared is compared with what all before it has left in Redis.
            if (flown > 0 && (batch.IsComparison != parts[0].Batch.IsComparison || rows + batch.Count > limits.Rows || bytes + batch.Bytes > limits.Bytes)) break;
            rows += batch.Count;
            bytes += batch.Bytes;
            if (batch.Last > reached) reached = batch.Last;
            flown++;
        }
        if (flown == 0) return null;
        var batches = new Batch[flown];
        for (int i = 0; i < flown; i++) batches[i] = parts[i].Batch;
        return UnderWay = new LaneFlight(batches, parts[flown - 1].Last, reached);
    }

    /// <summary>The writer was refused though the lane is still ours. Nothing of the flight is in Redis.</summary>
    /// <returns>What to send again; it is still the one under way.</returns>
    /// <exception cref="InvalidOperationException">No flight is under way.</exception>
    public LaneFlight Again() => UnderWay ?? throw new InvalidOperationException("No flight of the lane is under way.");

    /// <summary>Redis has the flight, and what could not be written of it is parked.</summary>
    /// <returns>The flight; its batches are not needed here any more.</returns>
    /// <exception cref="InvalidOperationException">No flight is under way.</exception>
    public LaneFlight Home()
    {
        var flight = Again();
        foreach (var batch in flight.Batches)
        {
            Rows -= batch.Count;
            Bytes -= batch.Bytes;
        }
        parts.RemoveRange(0, flown);
        flown = 0;
        UnderWay = null;
        return flight;
    }
}

using Sync.Contracts;
using Sync.Engine.Batching;

namespace Sync.Engine.Ordering;

/// <summary>
/// The changes of a flight that go in one transaction, and the cuts that keep them small enough for it. Batches are never changed: a cut inside one
/// makes two copies.
/// </summary>
sealed class FlightPart
{
    readonly List<Batch> batches = [];

    public IReadOnlyList<Batch> Batches => batches;

    /// <summary>What it takes of a transaction; see <see cref="RedisLimits.Cost(Batch)"/>.</summary>
    public long Cost
    {
        get
        {
            long sum = 0;
            foreach (var batch in batches) sum += RedisLimits.Cost(batch);
            return sum;
        }
    }

    /// <summary>The position of its last change; <see cref="Position.None"/> for rows of a copy.</summary>
    public Position Last
    {
        get
        {
            var last = Position.None;
            foreach (var batch in batches)
                if (batch.Last > last) last = batch.Last;
            return last;
        }
    }

    /// <summary>Bytes of its only change; 0 when it has more than one.</summary>
    public long AloneBytes => batches is [{ Count: 1 } alone] ? alone.Body.Length : 0;

    /// <summary>Whether commands of one batch together are longer than <paramref name="bytes"/>.</summary>
    public bool HasLonger(long bytes)
    {
        foreach (var batch in batches)
            if (batch.Body.Length > bytes) return true;
        return false;
    }

    /// <summary>Takes these in place of what it had.</summary>
    public void Fill(List<Batch> content)
    {
        batches.Clear();
        batches.AddRange(content);
    }

    /// <summary>
    /// Leaves what costs no more than <paramref name="limit"/>, or one change that costs more by itself; the rest goes to the begin of <paramref
    /// name="rest"/>.
    /// </summary>
    public void Fit(long limit, List<Batch> rest)
    {
        if (Cost <= limit) return;
        long sum = 0;
        var before = Position.None;
        for (int batch = 0; batch < batches.Count; batch++)
            for (int entry = 0; entry < batches[batch].Count; entry++)
            {
                ref readonly var change = ref batches[batch].Entries[entry];
                // Changes at the same position are recorded together.
                if (sum > 0 && sum + RedisLimits.Cost(change) > limit && (change.Position == Position.None || change.Position != before))
                {
                    Cut(batch, entry, rest);
                    return;
                }
                sum += RedisLimits.Cost(change);
                before = change.Position;
            }
    }

    /// <summary>
    /// Leaves what stands at or before a position; the rest goes to the begin of <paramref name="rest"/>. False, and nothing is done, when that is
    /// all or none of it.
    /// </summary>
    public bool CutBehind(Position position, List<Batch> rest)
    {
        for (int batch = 0; batch < batches.Count; batch++)
            for (int entry = 0; entry < batches[batch].Count; entry++)
            {
                if (batches[batch].Entries[entry].Position <= position) continue;
                if ((batch, entry) == (0, 0)) return false;
                Cut(batch, entry, rest);
                return true;
            }
        return false;
    }

    void Cut(int batch, int entry, List<Batch> rest)
    {
        var behind = batches.GetRange(batch, batches.Count - batch);
        batches.RemoveRange(batch, batches.Count - batch);
        if (entry > 0)
        {
            var divided = behind[0];
            batches.Add(Copy(divided, 0, entry));
            behind[0] = Copy(divided, entry, divided.Count);
        }
        rest.InsertRange(0, behind);
    }

    static Batch Copy(Batch source, int from, int to)
    {
        var copy = new Batch();
        for (int entry = from; entry < to; entry++) copy.AddCopy(source, entry);
        return copy;
    }
}

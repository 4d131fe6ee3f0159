using Sync.Engine.Verification;
using Sync.Node.Hosting;
using Sync.Node.Verification;
using Sync.Redis.Sink;

namespace Sync.Node.Resync;

/// <summary>What was done for some rows.</summary>
readonly record struct MendTally(long Mended, long Removed, long Parked, long Refused, string Error)
{
    public static MendTally None { get; } = new(0, 0, 0, 0, "");

    public static MendTally operator +(MendTally a, MendTally b) =>
        new(a.Mended + b.Mended, a.Removed + b.Removed, a.Parked + b.Parked, a.Refused + b.Refused, b.Error.Length > 0 ? b.Error : a.Error);
}

/// <summary>
/// Compares rows with their keys and puts right what differs, as the writer of their lane, between two flights. Done again after a lost
/// connection: what was put right already is found equal then.
/// </summary>
sealed class RowMender(PumpContext context, TableParts table, IReadOnlyList<ResyncRow> rows)
{
    public const string Poison = "a row can't be written as commands: a value in a key is NULL, or a number is none";

    public async ValueTask<MendTally> MendAsync(SinkSession session, CancellationToken cancellationToken)
    {
        var redis = new RedisState(session.Connection, context.Writer.Keys);
        bool[] isParked = await redis.AreParkedAsync([.. rows.Select(r => r.OrderingKey)], cancellationToken);
        var free = rows.Where((row, i) => !isParked[i] && !row.Expectation.IsPoison).ToList();
        var tally = MendTally.None with { Parked = isParked.Count(p => p) };
        int poison = rows.Where((row, i) => !isParked[i] && row.Expectation.IsPoison).Count();
        if (poison > 0) tally += MendTally.None with { Refused = poison, Error = Poison };
        var differences = await redis.CompareAsync([.. free.Select(r => r.Expectation)], cancellationToken);
        var batch = new MendBatch(context.Writer);
        for (int i = 0; i < free.Count; i++)
        {
            var own = differences[i].Where(d => !table.Plan.IsContested(d)).ToList();
            if (own.Count == 0) continue;
            foreach (var key in free[i].Expectation.Keys)
            {
                var ofKey = own.FindAll(d => d.Key.AsSpan().SequenceEqual(key.Key));
                if (ofKey.Count == 0) continue;
                var commands = MendBatch.Render(StateMend.Commands(key, ofKey));
                if (commands.Count == 0) tally += MendTally.None with { Refused = 1, Error = ofKey[0].What };
                else if (await MendBatch.RefuseAsync(context.Writer, session, commands, cancellationToken) is { } oversize) tally += MendTally.None with { Refused = 1, Error = oversize.Text };
                else
                {
                    if (batch.Count > 0 && batch.Bytes + commands.Bytes.Length > context.Writer.Limits.Of(session.Limits).FlightCost)
                    {
                        tally += await RunAsync(batch);
                        batch = new MendBatch(context.Writer);
                    }
                    batch.Add(commands);
                }
            }
        }
        return tally + await RunAsync(batch);

        async ValueTask<MendTally> RunAsync(MendBatch full)
        {
            var (mended, refused, error) = await full.RunAsync(session, cancellationToken);
            return new MendTally(mended, 0, 0, refused, error);
        }
    }
}

/// <summary>Takes away what no row leads to. Runs while all lanes stand still.</summary>
sealed class PlaceRemover(PumpContext context, IReadOnlyList<ResyncPlace> places)
{
    public async ValueTask<MendTally> RemoveAsync(SinkSession session, CancellationToken cancellationToken)
    {
        var redis = new RedisState(session.Connection, context.Writer.Keys);
        var ordering = places.SelectMany(p => p.OrderingKeys).ToList();
        bool[] isParked = await redis.AreParkedAsync(ordering, cancellationToken);
        bool[] isThere = await redis.AreThereAsync([.. places.Select(p => p.Place)], cancellationToken);
        var batch = new MendBatch(context.Writer);
        long parked = 0;
        int at = 0;
        for (int i = 0; i < places.Count; i++)
        {
            bool waits = isParked.AsSpan(at, places[i].OrderingKeys.Count).Contains(true);
            at += places[i].OrderingKeys.Count;
            if (waits) parked++;
            else if (isThere[i]) batch.Add([Removal(places[i].Place)]);
        }
        var (removed, refused, error) = await batch.RunAsync(session, cancellationToken);
        return new MendTally(0, removed, parked, refused, error);
    }

    static byte[][] Removal(FoundPlace place) => place.Probe.Kind switch
    {
        PlaceKind.Key => ["UNLINK"u8.ToArray(), place.Key],
        PlaceKind.HashField => ["HDEL"u8.ToArray(), place.Key, place.Part!],
        PlaceKind.SetMember => ["SREM"u8.ToArray(), place.Key, place.Part!],
        _ => ["ZREM"u8.ToArray(), place.Key, place.Part!],
    };
}

using Sync.Actors.Ports;
using Sync.Engine.Ordering;
using Sync.Node.Hosting;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <summary>Retries or drops dead letters of one lane, on the connection of its writer and between two of its flights, so that nothing of a key overtakes what is applied again.</summary>
sealed class LaneLetters(WriterContext context, int lane, int lanes)
{
    readonly LaneRouter router = new(lanes, 1);

    public async ValueTask<DeadLetterOutcome> RunAsync(SinkSession session, DeadLetterOrder order, CancellationToken cancellationToken)
    {
        int done = 0, failed = 0;
        var freed = new List<byte[]>();
        foreach (byte[] key in await KeysAsync(session, order, cancellationToken))
        {
            bool isFree;
            if (order.Drops)
            {
                var (dropped, hasOthers) = await DeadLetterDesk.DropAsync(context.DeadLetters, session, key, l => order.Id is null || l.Id == order.Id, null, cancellationToken);
                done += (int)dropped;
                isFree = !hasOthers;
            }
            else
            {
                var result = await context.DeadLetters.ReplayAsync(session.Connection, key, order.Force, cancellationToken);
                done += result.Applied;
                isFree = result.Failure is null;
                if (!isFree) failed++;
            }
            if (isFree) freed.Add(key);
        }
        context.Stats.SetDeadLetters(await context.DeadLetters.CountAsync(session.Connection, cancellationToken));
        return new DeadLetterOutcome(done, failed, freed);
    }

    async ValueTask<IEnumerable<byte[]>> KeysAsync(SinkSession session, DeadLetterOrder order, CancellationToken cancellationToken)
    {
        if (order.Key is { } named) return IsOurs(named) ? [named] : [];
        if (order.Id is not null)
            return await context.DeadLetters.GetAsync(session.Connection, order.Id, cancellationToken) is { } letter && IsOurs(letter.Key.Span) ? [letter.Key.ToArray()] : [];
        return (await context.DeadLetters.LoadParkedKeysAsync(session.Connection, cancellationToken)).Keys.Where(key => IsOurs(key));
    }

    bool IsOurs(ReadOnlySpan<byte> key) => router.LaneOf(key) == lane;
}

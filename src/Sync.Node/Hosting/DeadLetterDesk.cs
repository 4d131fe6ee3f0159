using Sync.Engine.DeadLetters;
using Sync.Redis.Cluster;
using Sync.Redis.DeadLetters;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// Retries and drops dead letters while the node runs. The work is done by the writer that owns the key, between two flights, so that
/// nothing of the key can overtake what is being replayed, and the key is released in the same breath.
/// </summary>
sealed class DeadLetterDesk(PumpContext context, WriterOutput writers)
{
    const int pageSize = 500;

    /// <summary>Replays one key, or all.</summary>
    public async Task<RetryOutcome> RetryAsync(byte[]? key, bool force, CancellationToken cancellationToken)
    {
        var outcome = new RetryOutcome(0, 0);
        foreach (byte[] parked in key is not null ? [key] : await ParkedKeysAsync(cancellationToken))
        {
            var writer = WriterOf(parked);
            await writer.RunBehindAsync(async (session, ct) =>
            {
                var store = context.Writer.DeadLetters;
                var result = writer.Nodes is { } nodes
                    ? await new ClusterReplay(nodes, store).RunAsync(session, parked, force, ct)
                    : await store.ReplayAsync(session.Connection, parked, force, ct);
                outcome = outcome.With(result);
                if (result.Failure is null) writer.Unpark(parked);
            }, cancellationToken);
        }
        await RecountAsync(cancellationToken);
        return outcome;
    }

    /// <summary>Gives up one entry, all of a key, or all.</summary>
    public async Task<int> DropAsync(string? id, byte[]? key, CancellationToken cancellationToken)
    {
        int dropped = 0;
        if (id is not null)
        {
            DeadLetter? letter = null;
            await AnyWriter.RunBehindAsync(async (session, ct) => letter = await context.Writer.DeadLetters.GetAsync(session.Connection, id, ct), cancellationToken);
            if (letter is not null) dropped = await DropOfKeyAsync(letter.Key.ToArray(), l => l.Id == id, cancellationToken);
        }
        else
            foreach (byte[] parked in key is not null ? [key] : await ParkedKeysAsync(cancellationToken))
                dropped += await DropOfKeyAsync(parked, _ => true, cancellationToken);
        await RecountAsync(cancellationToken);
        return dropped;
    }

    async Task<int> DropOfKeyAsync(byte[] key, Func<DeadLetter, bool> wanted, CancellationToken cancellationToken)
    {
        long dropped = 0;
        var writer = WriterOf(key);
        await writer.RunBehindAsync(async (session, ct) =>
        {
            var store = context.Writer.DeadLetters;
            var replay = writer.Nodes is { } nodes ? new ClusterReplay(nodes, store) : null;
            var (count, hasOthers) = await DropAsync(store, session, key, wanted, replay, ct);
            dropped += count;
            if (!hasOthers) writer.Unpark(key);
        }, cancellationToken);
        return (int)dropped;
    }

    /// <summary>Drops letters of a key. Only between two flights of whoever writes it.</summary>
    /// <returns>How many, and whether the key has others.</returns>
    public static async ValueTask<(long Dropped, bool HasOthers)> DropAsync(
        DeadLetterStore store, SinkSession session, byte[] key, Func<DeadLetter, bool> wanted, ClusterReplay? replay, CancellationToken cancellationToken)
    {
        var ids = new List<string>();
        bool hasOthers = false;
        for (string? after = null; ;)
        {
            var page = await store.ListAsync(session.Connection, after, pageSize, cancellationToken);
            if (page.Count == 0) break;
            foreach (var letter in page.Where(l => l.Key.Span.SequenceEqual(key)))
            {
                if (!wanted(letter))
                {
                    hasOthers = true;
                    continue;
                }
                if (replay is not null) await replay.GiveUpAsync(session, letter, cancellationToken);
                ids.Add(letter.Id!);
            }
            after = page[^1].Id;
        }
        return (await store.RemoveAsync(session.Connection, ids, cancellationToken), hasOthers);
    }

    async Task<byte[][]> ParkedKeysAsync(CancellationToken cancellationToken)
    {
        byte[][] keys = [];
        await AnyWriter.RunBehindAsync(async (session, ct) => keys = [.. (await context.Writer.DeadLetters.LoadParkedKeysAsync(session.Connection, ct)).Keys], cancellationToken);
        return keys;
    }

    Task RecountAsync(CancellationToken cancellationToken) => AnyWriter.RunBehindAsync(
        async (session, ct) => context.Stats.SetDeadLetters(await context.Writer.DeadLetters.CountAsync(session.Connection, ct)), cancellationToken);

    RedisWriter AnyWriter => writers[0];

    RedisWriter WriterOf(ReadOnlySpan<byte> key) => writers[context.Router.WorkerOf(context.Router.LaneOf(key))];
}

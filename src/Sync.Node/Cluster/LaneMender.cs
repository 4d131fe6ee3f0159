using System.Text;
using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Cluster.Wire;
using Sync.Engine.Progress;
using Sync.Engine.Verification;
using Sync.Node.Hosting;
using Sync.Node.Resync;
using Sync.Node.Verification;
using Sync.Redis.Errors;
using Sync.Redis.Progress;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <summary>
/// Compares rows of several lanes with Redis and puts right what differs, between two flights of each: all differences, the positions of the lanes and the counts in one
/// transaction. What is refused is counted, and parked nowhere.
/// </summary>
sealed class LaneMender(WriterContext context)
{
    /// <param name="Message">The message it came with.</param>
    /// <param name="State">What a row says of a key.</param>
    /// <param name="Expected">The same, for comparing.</param>
    readonly record struct Compared(Lsn Message, KeyState State, ExpectedKey Expected);

    readonly MendCounts counts = new(context.Keys);

    /// <summary>One attempt; another one finds equal what this one has put right.</summary>
    /// <param name="session">With the node's token as its fence.</param>
    /// <param name="work">Flights of comparisons, of different lanes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisFencedException">A lane of this node was taken; nothing of the transaction was applied.</exception>
    public async ValueTask MendAsync(SinkSession session, IReadOnlyList<LaneWork> work, CancellationToken cancellationToken)
    {
        var tallies = new Dictionary<Lsn, MendCount>();
        var compared = new List<Compared>();
        foreach (var lane in work) Read(lane, compared, tallies);
        var differences = await new RedisState(session.Connection, context.Keys).CompareAsync([.. compared.Select(c => c.Expected)], cancellationToken);
        var wrong = new List<(Lsn Message, IReadOnlyList<byte[][]> Commands)>();
        for (int i = 0; i < compared.Count; i++)
        {
            var (message, state, expected) = compared[i];
            var own = differences[i].Where(d => !RowStates.IsContested(state, d)).ToList();
            if (own.Count == 0) continue;
            var commands = StateMend.Commands(expected, own);
            if (commands.Count == 0) Count(tallies, message, MendCount.None with { Refused = 1, Error = own[0].What });
            else if (await MendBatch.RefuseAsync(context, session, MendBatch.Render(commands), cancellationToken) is { } oversize)
                Count(tallies, message, MendCount.None with { Refused = 1, Error = oversize.Text });
            else wrong.Add((message, commands));
        }
        await WriteAsync(session, work, wrong, tallies, cancellationToken);
    }

    static void Read(LaneWork lane, List<Compared> compared, Dictionary<Lsn, MendCount> tallies)
    {
        foreach (var batch in lane.Flight.Batches)
            foreach (ref readonly var entry in batch.Entries)
            {
                // One that says nothing only has to come home.
                if (entry.Position == Position.None) continue;
                var message = entry.Position.Commit;
                if (lane.Parked.Contains(batch.Key(entry)))
                {
                    Count(tallies, message, MendCount.None with { Parked = 1 });
                    continue;
                }
                var row = (RowState)ClusterWire.FromBytes("rs", batch.CommandsOf(entry).ToArray());
                if (row.IsPoison) Count(tallies, message, MendCount.None with { Refused = 1, Error = RowMender.Poison });
                foreach (var key in row.Keys) compared.Add(new Compared(message, key, RowStates.Expected(key)));
            }
    }

    async ValueTask WriteAsync(
        SinkSession session, IReadOnlyList<LaneWork> work, List<(Lsn Message, IReadOnlyList<byte[][]> Commands)> wrong, Dictionary<Lsn, MendCount> tallies,
        CancellationToken cancellationToken)
    {
        var all = new MendBatch(context);
        foreach (var (_, commands) in wrong) all.Add(commands);
        string?[] errors;
        try
        {
            errors = await all.TransactAsync(session, Behind(work, wrong, null, tallies), cancellationToken);
            if (!Array.Exists(errors, e => e is not null)) return;
            // What goes with the transaction counts all as mended.
            var late = new RespCommands();
            foreach (var (message, count) in Counted(wrong, errors)) counts.Add(late, message, count with { Mended = -count.Refused });
            foreach (var reply in await session.Connection.ExecutePipelineAsync(late, cancellationToken)) reply.OrThrow(session.Endpoint, null);
        }
        catch (SyncException) when (wrong.Count > 0)
        {
            // Redis runs nothing of a transaction when it refuses one of its commands as such, so each key goes alone.
            errors = new string?[wrong.Count];
            for (int i = 0; i < errors.Length; i++) errors[i] = await AloneAsync(session, wrong[i].Commands, cancellationToken);
            await new MendBatch(context).TransactAsync(session, Behind(work, wrong, errors, tallies), cancellationToken);
        }
    }

    async ValueTask<string?> AloneAsync(SinkSession session, IReadOnlyList<byte[][]> commands, CancellationToken cancellationToken)
    {
        var one = new MendBatch(context);
        one.Add(commands);
        try
        {
            return (await one.TransactAsync(session, null, cancellationToken))[0];
        }
        catch (SyncException e)
        {
            return e.Message;
        }
    }

    /// <summary>The positions of the lanes, and what was done.</summary>
    RespCommands Behind(
        IReadOnlyList<LaneWork> work, List<(Lsn Message, IReadOnlyList<byte[][]> Commands)> wrong, string?[]? errors, Dictionary<Lsn, MendCount> tallies)
    {
        var commands = new RespCommands();
        foreach (var lane in work)
            if (lane.Flight.Reached != Position.None)
                commands.Add("HSET", context.Keys.Progress, Encoding.UTF8.GetBytes(LanePositions.LaneField(lane.Lane)), lane.Flight.Reached.ToString());
        var sum = new Dictionary<Lsn, MendCount>(tallies);
        foreach (var (message, count) in Counted(wrong, errors)) Count(sum, message, count);
        foreach (var (message, count) in sum) counts.Add(commands, message, count);
        return commands;
    }

    static Dictionary<Lsn, MendCount> Counted(List<(Lsn Message, IReadOnlyList<byte[][]> Commands)> wrong, string?[]? errors)
    {
        var sum = new Dictionary<Lsn, MendCount>();
        for (int i = 0; i < wrong.Count; i++)
            Count(sum, wrong[i].Message, errors?[i] is { } error ? new MendCount(0, 0, 1, error) : new MendCount(1, 0, 0, ""));
        return sum;
    }

    static void Count(Dictionary<Lsn, MendCount> tallies, Lsn message, MendCount count) =>
        tallies[message] = tallies.GetValueOrDefault(message, MendCount.None) + count;
}

using Sync.Contracts;
using Sync.Engine.Progress;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Lanes;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Redis.Progress;

/// <summary>
/// The progress hash of one slot: which position Redis holds. Batches write it in the same transaction as their data
/// (<see cref="Sink.BatchSink"/>); here it is read at start and put in order for the workers of this run.
/// </summary>
public sealed class ProgressStore(RedisKeys keys, int lanes = LanePositions.DefaultLanes)
{
    const int MaxRaces = 20;

    /// <summary>How many lanes there are.</summary>
    public int Lanes => lanes;

    /// <summary>Reads without changing anything; also tells after a lost connection whether the last flight was applied.</summary>
    /// <exception cref="SyncException">The hash holds something else than progress.</exception>
    public async ValueTask<LanePositions> ReadAsync(RespConnection connection, CancellationToken cancellationToken) =>
        Parse(await connection.ExecuteAsync(cancellationToken, "HGETALL", keys.Progress), connection);

    /// <summary>The position one field records; <see cref="Position.None"/> when it is not there.</summary>
    /// <exception cref="SyncException">The field holds something else than a position.</exception>
    public async ValueTask<Position> ReadFieldAsync(RespConnection connection, ReadOnlyMemory<byte> field, CancellationToken cancellationToken)
    {
        var reply = await connection.ExecuteAsync(cancellationToken, "HGET", keys.Progress, field);
        string? text = reply.OrThrow(connection.Endpoint, connection.User).AsString();
        if (text is null) return Position.None;
        return Position.TryParse(text, out var position) ? position : throw Unreadable("a field holds no position", connection, null);
    }

    /// <summary>
    /// Takes over at start: checks that the progress belongs to this PostgreSQL cluster, writes each lane's merged position as
    /// <c>lane:*</c> and deletes all worker fields, so that the new run starts with none of an earlier number of workers. One
    /// transaction under WATCH: should a predecessor still write, the fold is repeated on what it wrote.
    /// </summary>
    /// <param name="connection">Where to.</param>
    /// <param name="system">System identifier of the PostgreSQL cluster (IDENTIFY_SYSTEM).</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The positions to resume from.</returns>
    /// <exception cref="SyncException">The progress is that of another cluster or number of lanes, or the hash holds something else.</exception>
    public ValueTask<LanePositions> BeginAsync(RespConnection connection, string system, CancellationToken cancellationToken) =>
        BeginAsync(connection, system, null, cancellationToken);

    /// <summary>The same, and in the same transaction takes the right to write from whoever had it.</summary>
    /// <param name="connection">Where to.</param>
    /// <param name="system">System identifier of the PostgreSQL cluster (IDENTIFY_SYSTEM).</param>
    /// <param name="owner">Who writes from now on; null changes nothing about that.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The positions to resume from.</returns>
    /// <exception cref="SyncException">As above.</exception>
    public ValueTask<LanePositions> BeginAsync(RespConnection connection, string system, OwnerFence? owner, CancellationToken cancellationToken) =>
        BeginAsync(connection, system, owner, null, cancellationToken);

    /// <summary>The same for the reader of a cluster, whose nodes write the lanes.</summary>
    /// <param name="connection">Where to.</param>
    /// <param name="system">System identifier of the PostgreSQL cluster (IDENTIFY_SYSTEM).</param>
    /// <param name="owner">Who writes from now on; null changes nothing about that.</param>
    /// <param name="opening">The reader, from when on nodes may take lanes; null for a single host, from when on none may.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The positions to resume from.</returns>
    /// <exception cref="SyncException">As above.</exception>
    /// <exception cref="RedisFencedException">A later reader has begun.</exception>
    public async ValueTask<LanePositions> BeginAsync(
        RespConnection connection, string system, OwnerFence? owner, LaneOpening? opening, CancellationToken cancellationToken)
    {
        var turn = owner is null ? null : new LaneTurn(keys, opening);
        for (int race = 0; race < MaxRaces; race++)
        {
            var replies = await connection.ExecutePipelineAsync(
                new RespCommands().Add("WATCH", keys.Progress, keys.Lanes, keys.LaneNumbers).Add("HGETALL", keys.Progress).Append(LaneTurn.Reads(keys)), cancellationToken);
            replies[0].OrThrow(connection.Endpoint, connection.User);
            LanePositions found;
            RespCommands commands;
            try
            {
                found = Parse(replies[1], connection);
                Check(found, system);
                commands = Fold(found, system, owner);
                turn?.AddWrites(commands, connection, replies.AsSpan(2));
            }
            catch (Exception e) when (e is SyncException or RedisFencedException)
            {
                await connection.ExecuteAsync(cancellationToken, "UNWATCH");
                throw;
            }
            if (await Transaction.TryRunAsync(connection, commands, cancellationToken) is not null) return found;
        }
        throw new RedisTransientException(
            $"The progress '{keys.Progress}' in Redis at {connection.Endpoint} keeps changing: another ActorSync still writes it.", outcomeUnknown: false);
    }

    /// <summary>
    /// Records how far PostgreSQL will be told that it may forget, before it is told. So if a slot stands further than this at start, what
    /// lies between is in neither: Redis lost it, or the slot is another one.
    /// </summary>
    /// <param name="connection">Where to.</param>
    /// <param name="confirmed">What PostgreSQL will be told.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="isStamped">Whether every master of a Cluster has been told the same by now.</param>
    public async ValueTask ConfirmAsync(RespConnection connection, Lsn confirmed, CancellationToken cancellationToken, bool isStamped = false) =>
        (await connection.ExecuteAsync(
            cancellationToken, ["HSET", keys.Progress, LanePositions.ConfirmedField, confirmed.ToString(), .. isStamped ? [LanePositions.StampedField, "1"] : Array.Empty<RedisArgument>()]))
            .OrThrow(connection.Endpoint, connection.User);

    RespCommands Fold(LanePositions found, string system, OwnerFence? owner)
    {
        var set = new List<RedisArgument>
        {
            "HSET", keys.Progress, LanePositions.SystemField, system, LanePositions.LanesField, lanes,
        };
        for (int lane = 0; lane < lanes; lane++)
        {
            if (found[lane] == Position.None) continue;
            set.Add(LanePositions.LaneField(lane));
            set.Add(found[lane].ToString());
        }
        var commands = new RespCommands().Add(set.ToArray());
        if (owner is not null) commands.Add("SET", owner.Key, owner.Token);
        if (found.WorkerFields.Count > 0) commands.Add(["HDEL", keys.Progress, .. found.WorkerFields.Select(field => (RedisArgument)field)]);
        return commands;
    }

    void Check(LanePositions found, string system)
    {
        if (found.System is { } other && other != system)
            throw new SyncException(ExitCode.ForeignProgress,
                $"Redis holds the progress of PostgreSQL cluster {other} under '{keys.Progress}', but this one is {system}; "
                + "use another slot name, or DEL that key to start anew.");
        if (found.RecordedLanes is { } recorded && recorded != lanes)
            throw new SyncException(ExitCode.ForeignProgress,
                $"The progress under '{keys.Progress}' was recorded for {recorded} lanes, but this node uses {lanes}; "
                + "set cluster.lanes to that number, use another slot name, or DEL that key to start anew.");
    }

    LanePositions Parse(RespValue reply, RespConnection connection)
    {
        if (reply.ErrorText.StartsWith("WRONGTYPE", StringComparison.Ordinal)) throw Unreadable("the key is not a hash", connection, null);
        var items = reply.OrThrow(connection.Endpoint, connection.User).Items;
        var fields = new Dictionary<string, string>(items.Count / 2);
        for (int i = 0; i + 1 < items.Count; i += 2) fields[items[i].AsString()!] = items[i + 1].AsString()!;
        try
        {
            // Lanes beyond ours are no error of the text but of the number of lanes, which has a better message.
            int readable = fields.TryGetValue(LanePositions.LanesField, out string? text) && int.TryParse(text, out int recorded) ? recorded : lanes;
            return LanePositions.Merge(Math.Clamp(readable, lanes, 1 << 20), fields);
        }
        catch (FormatException error)
        {
            throw Unreadable(error.Message, connection, error);
        }
    }

    SyncException Unreadable(string what, RespConnection connection, Exception? inner) => new(ExitCode.ForeignProgress,
        $"The progress under '{keys.Progress}' in Redis at {connection.Endpoint} can't be read: {what}; use another slot name, or DEL that key to start anew.", inner);
}

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
        var log = new LogHistory(system, 0, null);
        return (await BeginAsync(connection, new ProgressOpening(log, Lsn.None, Lsn.None) { Owner = owner, Lanes = opening, Judge = held => OfSystem(held, system) }, cancellationToken)).Positions;
    }

    /// <summary>
    /// The same for a log whose history is known. When the positions in Redis say nothing of that log, the same transaction discards them: positions, marks of re-syncs and claims of
    /// lanes are gone, every table that was copied is marked to be read again, and dead letters are put aside under a key of their own. So whatever ends this, the log is never
    /// streamed onto positions of another one.
    /// </summary>
    /// <exception cref="SyncException">As above, and what the judge throws.</exception>
    /// <exception cref="RedisFencedException">A later reader has begun.</exception>
    public async ValueTask<ProgressBegun> BeginAsync(RespConnection connection, ProgressOpening opening, CancellationToken cancellationToken)
    {
        var turn = opening.Owner is null ? null : new LaneTurn(keys, opening.Lanes);
        for (int race = 0; race < MaxRaces; race++)
        {
            var replies = await connection.ExecutePipelineAsync(
                new RespCommands().Add("WATCH", keys.Progress, keys.Lanes, keys.LaneNumbers, keys.Snapshot).Add("HGETALL", keys.Progress).Add("HGETALL", keys.Snapshot)
                    .Add("XLEN", keys.DeadLetters).Append(LaneTurn.Reads(keys)), cancellationToken);
            replies[0].OrThrow(connection.Endpoint, connection.User);
            ProgressBegun begun;
            RespCommands commands;
            try
            {
                var found = Parse(replies[1], connection);
                CheckLanes(found);
                var marks = new SnapshotMarks(keys).Parse(replies[2], connection);
                var answer = opening.Judge(Held(found, marks.Values));
                long letters = answer.IsAbandoned ? replies[3].OrThrow(connection.Endpoint, connection.User).AsInt64() : 0;
                begun = answer.IsAbandoned
                    ? new ProgressBegun(LanePositions.Anew(lanes, opening.Log, opening.SlotBegin), IsAnew: true) { LettersAside = letters > 0 ? keys.DeadLettersAside(opening.Log, opening.LogEnd) : null, Letters = letters }
                    : new ProgressBegun(found.ConfirmedAtMost(answer.ConfirmedAtMost), IsAnew: false);
                commands = begun.IsAnew ? Discard(opening, marks, begun) : Fold(begun.Positions, opening);
                if (turn is not null) begun = begun with { Since = turn.AddWrites(commands, connection, replies.AsSpan(4), begun.IsAnew) };
            }
            catch (Exception e) when (e is SyncException or RedisFencedException)
            {
                await connection.ExecuteAsync(cancellationToken, "UNWATCH");
                throw;
            }
            if (await Transaction.TryRunAsync(connection, commands, cancellationToken) is not null) return begun;
        }
        throw new RedisTransientException(
            $"The progress '{keys.Progress}' in Redis at {connection.Endpoint} keeps changing: another ActorSync still writes it.", outcomeUnknown: false);
    }

    /// <summary>Reads what Redis says of the log that it follows, without changing anything.</summary>
    /// <exception cref="SyncException">What Redis holds can't be read.</exception>
    public async ValueTask<HeldHistory> ReadHistoryAsync(RespConnection connection, CancellationToken cancellationToken) =>
        Held(await ReadAsync(connection, cancellationToken), (await new SnapshotMarks(keys).LoadAsync(connection, cancellationToken)).Values);

    /// <summary>
    /// A snapshot shows what committed before its place. A position in a lane is that of a commit record, which begins there, so what is held reaches beyond it. The same is true of the
    /// last transaction that was applied.
    /// </summary>
    static HeldHistory Held(LanePositions found, IEnumerable<SnapshotMark> marks)
    {
        var through = marks.Select(m => m.Lsn).Append(Behind(found.Highest.Commit)).Append(Behind(found.Landmark.Commit)).Max();
        return new HeldHistory(found.Log, new[] { through, found.Confirmed, found.LogEnd }.Max(), through) { Publication = found.Publication, Confirmed = found.Confirmed };
    }

    static Lsn Behind(Lsn commit) => commit == Lsn.None ? Lsn.None : new Lsn(commit.Value + 1);

    /// <summary>
    /// Records how far PostgreSQL will be told that it may forget, before it is told. So if a slot stands further than this at start, what
    /// lies between is in neither: Redis lost it, or the slot is another one.
    /// </summary>
    /// <param name="connection">Where to.</param>
    /// <param name="confirmed">What PostgreSQL will be told.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="isStamped">Whether every master of a Cluster has been told the same by now.</param>
    /// <param name="log">What is known of the log besides; null for nothing.</param>
    public async ValueTask ConfirmAsync(RespConnection connection, Lsn confirmed, CancellationToken cancellationToken, bool isStamped = false, LogMark? log = null)
    {
        var set = new List<RedisArgument> { "HSET", keys.Progress, LanePositions.ConfirmedField, confirmed.ToString() };
        if (isStamped) set.AddRange([LanePositions.StampedField, "1"]);
        if (log is { } mark)
        {
            if (mark.End != Lsn.None) set.AddRange([LanePositions.LogField, mark.End.ToString()]);
            if (mark.Landmark.Commit != Lsn.None) set.AddRange([LanePositions.LandmarkField, $"{mark.Landmark} {mark.Publication}"]);
        }
        (await connection.ExecuteAsync(cancellationToken, set.ToArray())).OrThrow(connection.Endpoint, connection.User);
    }

    /// <summary>All hash slots of a Cluster are free of what an abandoned history left there.</summary>
    public async ValueTask ClearedAsync(RespConnection connection, CancellationToken cancellationToken) =>
        (await connection.ExecuteAsync(cancellationToken, "HDEL", keys.Progress, LanePositions.ClearingField)).OrThrow(connection.Endpoint, connection.User);

    RespCommands Fold(LanePositions found, ProgressOpening opening)
    {
        var set = Header(opening);
        if (found.Confirmed != Lsn.None) set.AddRange([LanePositions.ConfirmedField, found.Confirmed.ToString()]);
        for (int lane = 0; lane < lanes; lane++)
        {
            if (found[lane] == Position.None) continue;
            set.Add(LanePositions.LaneField(lane));
            set.Add(found[lane].ToString());
        }
        var commands = new RespCommands().Add(set.ToArray());
        if (opening.Owner is { } owner) commands.Add("SET", owner.Key, owner.Token);
        if (found.WorkerFields.Count > 0) commands.Add(["HDEL", keys.Progress, .. found.WorkerFields.Select(field => (RedisArgument)field)]);
        return commands;
    }

    /// <summary>What a history begins with. Tables keep a mark, so that a start that is cut off here is no first start to the next one.</summary>
    RespCommands Discard(ProgressOpening opening, Dictionary<string, SnapshotMark> marks, ProgressBegun begun)
    {
        var commands = new RespCommands().Add("DEL", keys.Progress)
            .Add([.. Header(opening), LanePositions.ConfirmedField, opening.SlotBegin.ToString(), .. opening.IsSharded ? [LanePositions.ClearingField, "1"] : Array.Empty<RedisArgument>()])
            .Add("DEL", keys.Resync, keys.Mends);
        foreach (string table in marks.Keys) commands.Add("HSET", keys.Snapshot, table, new SnapshotMark(opening.SlotBegin, SnapshotState.Outdated, 0).ToString());
        if (begun.LettersAside is { } aside) commands.Add("RENAME", keys.DeadLetters, aside);
        commands.Add("DEL", keys.ParkedKeys, keys.Retries);
        if (opening.Owner is { } owner) commands.Add("SET", owner.Key, owner.Token);
        return commands;
    }

    List<RedisArgument> Header(ProgressOpening opening)
    {
        var set = new List<RedisArgument> { "HSET", keys.Progress, LanePositions.SystemField, opening.Log.System, LanePositions.LanesField, lanes };
        if (opening.Log.Timeline > 0) set.AddRange([LanePositions.TimelineField, opening.Log.Text, LanePositions.LogField, opening.LogEnd.ToString()]);
        if (opening.Publication > 0) set.AddRange([LanePositions.PublicationField, $"{opening.Publication}"]);
        return set;
    }

    HistoryAnswer OfSystem(HeldHistory held, string system) => held.Log is { } other && other.System != system ? throw Foreign(other.System, system) : HistoryAnswer.GoesOn;

    /// <summary>What is said when the progress is that of another cluster.</summary>
    /// <param name="found">The cluster that Redis names.</param>
    /// <param name="system">The cluster that is there.</param>
    /// <param name="orElse">What else may be done; begins with a comma or semicolon.</param>
    public SyncException Foreign(string found, string system, string orElse = "") => new(ExitCode.ForeignProgress,
        $"Redis holds the progress of PostgreSQL cluster {found} under '{keys.Progress}', but this one is {system}; "
        + $"use another slot name, or DEL that key to start anew{orElse}.");

    void CheckLanes(LanePositions found)
    {
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

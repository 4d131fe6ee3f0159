using System.Globalization;
using Sync.Contracts;
using Sync.Engine.Lanes;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Redis.Lanes;

/// <param name="Claim">The number of the takeover; 0 when no reader has begun with this Redis, so that nobody may take a lane.</param>
/// <param name="Position">How far the lane is.</param>
/// <param name="Epoch">The reader that has begun last; what an earlier one has sent may not be taken.</param>
public readonly record struct TakenLane(long Claim, Position Position, long Epoch);

/// <summary>
/// Who owns which lane, for one node of a cluster; docs/protocols/redis-sink.md, "Ownership of lanes". Claims and epochs are at least the time in milliseconds, so
/// that a Redis that lost what it held does not give a number again.
/// </summary>
/// <param name="keys">Of the slot.</param>
/// <param name="incarnation">Of this node: letters and digits, never used before.</param>
/// <param name="time">For the lowest number that is given.</param>
public sealed class LaneStore(RedisKeys keys, string incarnation, TimeProvider time)
{
    /// <summary>The node's token.</summary>
    public string TokenKey { get; } = keys.OwnerOf(incarnation);

    /// <summary>Takes lanes, in one pipeline; whoever had one can write nothing of it from then on, so its position is final.</summary>
    /// <returns>One for each, in the same order.</returns>
    /// <exception cref="SyncException">What a lane's position should be is none.</exception>
    public async ValueTask<TakenLane[]> TakeAsync(RespConnection connection, IReadOnlyList<int> lanes, CancellationToken cancellationToken)
    {
        var commands = new RespCommands();
        foreach (int lane in lanes) Script(commands, LaneScripts.Take, lane, incarnation, connection.Server.History, LowestNumber, keys.OwnerOf(""), LaneScripts.TokenSeconds);
        var replies = await connection.ExecutePipelineAsync(commands, cancellationToken);
        return [.. lanes.Select((lane, i) => Taken(connection, lane, replies[i].OrThrow(connection.Endpoint, connection.User)))];
    }

    TakenLane Taken(RespConnection connection, int lane, RespValue reply)
    {
        long claim = Number(reply.Items[0]);
        if (claim == 0) return default;
        string text = reply.Items[1].AsString()!;
        if (text.Length == 0) return new TakenLane(claim, Position.None, Number(reply.Items[2]));
        return Position.TryParse(text, out var position)
            ? new TakenLane(claim, position, Number(reply.Items[2]))
            : throw new SyncException(ExitCode.ForeignProgress,
                $"The progress under '{keys.Progress}' in Redis at {connection.Endpoint} can't be read: the field of lane {lane} holds no position; use another slot name, or DEL that key to start anew.");
    }

    /// <summary>Gives a lane up. False when it was not ours any more by this claim.</summary>
    public async ValueTask<bool> GiveUpAsync(RespConnection connection, int lane, long claim, CancellationToken cancellationToken) =>
        (await RunAsync(connection, LaneScripts.GiveUp, cancellationToken, lane, string.Create(CultureInfo.InvariantCulture, $"{incarnation} {claim}"))).AsInt64() == 1;

    /// <summary>Takes the number of a new reader.</summary>
    public async ValueTask<long> NextEpochAsync(RespConnection connection, CancellationToken cancellationToken) =>
        Number(await RunAsync(connection, LaneScripts.NextEpoch, cancellationToken, LowestNumber));

    /// <summary>The number that a reader has taken last, whether it has begun yet or not; 0 for none.</summary>
    public ValueTask<long> LastEpochAsync(RespConnection connection, CancellationToken cancellationToken) => NumberAsync(connection, "epochs", cancellationToken);

    /// <summary>The reader that has begun last; 0 for none.</summary>
    public ValueTask<long> BegunEpochAsync(RespConnection connection, CancellationToken cancellationToken) => NumberAsync(connection, "epoch", cancellationToken);

    async ValueTask<long> NumberAsync(RespConnection connection, string field, CancellationToken cancellationToken)
    {
        var reply = (await connection.ExecuteAsync(new RespCommands().Add("HGET", keys.LaneNumbers, field), cancellationToken)).OrThrow(connection.Endpoint, connection.User);
        return reply.IsNull ? 0 : Number(reply);
    }

    /// <summary>Whether the last that has begun to write here was the reader of a cluster, not a single host.</summary>
    public async ValueTask<bool> IsOfClusterAsync(RespConnection connection, CancellationToken cancellationToken) =>
        !(await connection.ExecuteAsync(new RespCommands().Add("HGET", keys.LaneNumbers, "history"), cancellationToken)).OrThrow(connection.Endpoint, connection.User).IsNull;

    /// <summary>
    /// Reads what this node may write, and has the session's flights refused once that is not so any more. First the token, then, in one script, the last claim
    /// and the lanes: <see cref="LaneClaims"/> says why.
    /// </summary>
    /// <param name="session">The writer's.</param>
    /// <param name="claims">Told what was read.</param>
    /// <param name="highest">The highest claim that this node had got when it asked. A Redis that does not know it has lost what it held, and all claims with it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The reader that has begun last with this Redis.</returns>
    /// <exception cref="RedisTransientException">Redis can't now, or it has taken over other data: a new session has to be opened.</exception>
    public async ValueTask<long> ReadClaimsAsync(SinkSession session, LaneClaims claims, long highest, CancellationToken cancellationToken)
    {
        var connection = session.Connection;
        var commands = Script(new RespCommands(), LaneScripts.EnsureToken, LaneScripts.TokenSeconds).Add("WATCH", TokenKey).Add("GET", TokenKey).Add("INFO");
        var replies = await connection.ExecutePipelineAsync(Script(commands, LaneScripts.Mine, incarnation), cancellationToken);
        foreach (var reply in replies) reply.OrThrow(connection.Endpoint, connection.User);
        if (RedisServerFacts.Parse(replies[3].AsString() ?? "").History != session.History)
            throw new RedisTransientException($"Redis at {connection.Endpoint} was a replica meanwhile, or has taken over other data.", outcomeUnknown: false) { IsReplica = true };
        // It expired between two commands of one pipeline: there will be another next time.
        if (replies[2].IsNull) throw new RedisTransientException($"Redis at {connection.Endpoint} has dropped {TokenKey}.", outcomeUnknown: false);
        var mine = replies[4].Items;
        long last = Number(mine[0]);
        bool isLost = last < highest;
        claims.Checked(
            Number(replies[2]), isLost ? highest : last,
            isLost ? [] : Enumerable.Range(1, mine.Count / 2 - 1).Select(i => KeyValuePair.Create((int)Number(mine[2 * i]), Number(mine[2 * i + 1]))));
        session.Guard(new OwnerFence(TokenKey, replies[2].AsString()!));
        return Number(mine[1]);
    }

    long LowestNumber => time.GetUtcNow().ToUnixTimeMilliseconds();

    async ValueTask<RespValue> RunAsync(RespConnection connection, string script, CancellationToken cancellationToken, params RedisArgument[] arguments) =>
        (await connection.ExecuteAsync(Script(new RespCommands(), script, arguments), cancellationToken)).OrThrow(connection.Endpoint, connection.User);

    RespCommands Script(RespCommands commands, string script, params ReadOnlySpan<RedisArgument> arguments) =>
        commands.Add(["EVAL", script, 4, keys.Lanes, keys.LaneNumbers, keys.Progress, TokenKey, .. arguments]);

    /// <summary>Numbers come as texts, because those of Lua are not exact.</summary>
    static long Number(RespValue value) => long.Parse(value.AsString()!, NumberStyles.None, CultureInfo.InvariantCulture);
}

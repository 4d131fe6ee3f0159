using System.Globalization;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Lanes;

/// <param name="Epoch">The number of a reader that begins.</param>
/// <param name="History">The history of the Redis it reads the positions from (<see cref="RedisServerFacts.History"/>).</param>
public sealed record LaneOpening(long Epoch, string History);

/// <summary>
/// What taking a slot over means for its lanes, as part of the transaction that does it. A single host and the nodes of a cluster must never write side by side, so:
/// <list type="bullet">
/// <item>A single host gives every owner of a lane another token, forgets them all, and takes away the record without which no lane can be taken. It stays away
/// until a reader of a cluster has begun, which needs the lease in PostgreSQL that the single host has.</item>
/// <item>A reader sets that record: its number and the Redis it began with. On a Redis of another history, or after a single host, no owner's claim counts any
/// more, since positions were read from what may be gone. Else owners stay what they are: readers come and go.</item>
/// </list>
/// Plain commands under WATCH, no script: a single host needs no right to run any.
/// </summary>
sealed class LaneTurn(RedisKeys keys, LaneOpening? opening)
{
    /// <summary>What <see cref="AddWrites"/> needs to know; the three keys have to be watched.</summary>
    public static RespCommands Reads(RedisKeys keys) =>
        new RespCommands().Add("HGETALL", keys.Lanes).Add("HMGET", keys.LaneNumbers, "claims", "epoch", "history", "since");

    /// <param name="commands">The transaction.</param>
    /// <param name="connection">Where the replies come from.</param>
    /// <param name="replies">Those of <see cref="Reads"/>.</param>
    /// <param name="isAnew">Whether the positions are discarded, and with them every claim.</param>
    /// <returns>The reader from which on takeovers of lanes count.</returns>
    /// <exception cref="RedisFencedException">A later reader has begun.</exception>
    public long AddWrites(RespCommands commands, RespConnection connection, ReadOnlySpan<RespValue> replies, bool isAnew)
    {
        var owners = replies[0].OrThrow(connection.Endpoint, connection.User).Items;
        var numbers = replies[1].OrThrow(connection.Endpoint, connection.User).Items;
        if (opening is not null && Number(numbers[1]) > opening.Epoch)
            throw new RedisFencedException($"Another reader has begun since, at Redis at {connection.Endpoint}.");
        bool wasOpen = !numbers[2].IsNull;
        bool isOther = isAnew || opening is null || numbers[2].AsString() != opening.History;
        if (owners.Count > 0 && isOther) End(commands, owners, Number(numbers[0]) + 1);
        // A lane that has taken itself over before has positions in memory that do not hold any more, and would leave out what it takes for written.
        long since = isOther ? opening?.Epoch ?? 0 : Number(numbers[3]);
        if (opening is not null) commands.Add("HSET", keys.LaneNumbers, "epoch", opening.Epoch, "history", opening.History, "since", since);
        else if (wasOpen) commands.Add("HDEL", keys.LaneNumbers, "history");
        return since;
    }

    void End(RespCommands commands, IReadOnlyList<RespValue> owners, long token)
    {
        var incarnations = Enumerable.Range(0, owners.Count / 2).Select(i => owners[2 * i + 1].AsString()!.Split(' ')[0]).Distinct(StringComparer.Ordinal);
        foreach (string incarnation in incarnations) commands.Add("SET", keys.OwnerOf(incarnation), token, "EX", LaneScripts.TokenSeconds);
        commands.Add("HSET", keys.LaneNumbers, "claims", token);
        commands.Add("DEL", keys.Lanes);
    }

    static long Number(RespValue value) => value.AsString() is { } text ? long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : 0;
}

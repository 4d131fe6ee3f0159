using System.Globalization;
using Sync.Contracts;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Progress;

/// <summary>What came of comparing rows with Redis.</summary>
/// <param name="Mended">Keys that were given what their row says.</param>
/// <param name="Parked">Rows left alone because changes of theirs wait in the dead letters.</param>
/// <param name="Refused">Keys that could not be written.</param>
/// <param name="Error">The last reason of that; empty for none.</param>
public readonly record struct MendCount(long Mended, long Parked, long Refused, string Error)
{
    public static MendCount None { get; } = new(0, 0, 0, "");

    public static MendCount operator +(MendCount a, MendCount b) =>
        new(a.Mended + b.Mended, a.Parked + b.Parked, a.Refused + b.Refused, b.Error.Length > 0 ? b.Error : a.Error);
}

/// <summary>
/// Counts of what lanes have mended, by the place of the message in the log that the rows came with. Lanes add to them in the transaction that mends, so nothing is
/// counted twice or not at all; the reader fetches them when all lanes are done.
/// </summary>
public sealed class MendCounts(RedisKeys keys)
{
    const string mended = "mended", parked = "parked", refused = "refused", error = "error";

    /// <summary>Appends what adds a count.</summary>
    public void Add(RespCommands commands, Lsn message, MendCount count)
    {
        foreach (var (what, number) in new[] { (mended, count.Mended), (parked, count.Parked), (refused, count.Refused) })
            if (number != 0) commands.Add("HINCRBY", keys.Mends, Field(message, what), number.ToString(CultureInfo.InvariantCulture));
        if (count.Error.Length > 0) commands.Add("HSET", keys.Mends, Field(message, error), count.Error);
    }

    /// <summary>What was counted for a message.</summary>
    public async ValueTask<MendCount> ReadAsync(RespConnection connection, Lsn message, CancellationToken cancellationToken)
    {
        var items = (await connection.ExecuteAsync(
            cancellationToken, "HMGET", keys.Mends, Field(message, mended), Field(message, parked), Field(message, refused), Field(message, error)))
            .OrThrow(connection.Endpoint, connection.User).Items;
        return new MendCount(Number(items[0]), Number(items[1]), Number(items[2]), items[3].AsString() ?? "");
    }

    /// <summary>Forgets what was counted for a message.</summary>
    public async ValueTask ForgetAsync(RespConnection connection, Lsn message, CancellationToken cancellationToken) =>
        (await connection.ExecuteAsync(cancellationToken, "HDEL", keys.Mends, Field(message, mended), Field(message, parked), Field(message, refused), Field(message, error)))
            .OrThrow(connection.Endpoint, connection.User);

    /// <summary>Forgets all: what an earlier reader has not fetched.</summary>
    public async ValueTask ForgetAllAsync(RespConnection connection, CancellationToken cancellationToken) =>
        (await connection.ExecuteAsync(cancellationToken, "UNLINK", keys.Mends)).OrThrow(connection.Endpoint, connection.User);

    static string Field(Lsn message, string what) => $"{message}:{what}";

    static long Number(RespValue item) => item.IsNull ? 0 : long.Parse(item.AsString()!, CultureInfo.InvariantCulture);
}

using System.Text;
using Sync.Engine.DeadLetters;

namespace Sync.Engine.Batching;

/// <summary>Why Redis can't take a change, however often it is sent.</summary>
/// <param name="Command">Name of the command with the value that is too large, or of the first command when it is their sum.</param>
/// <param name="Bytes">Size of what is too large.</param>
/// <param name="IsValue">Whether that is one value, and not all commands of the row together.</param>
/// <param name="Setting">The setting of Redis that says so.</param>
/// <param name="LimitBytes">Its value.</param>
/// <param name="IsLearned">Whether the value is not what Redis tells, but what it refused.</param>
public readonly record struct Oversize(string Command, long Bytes, bool IsValue, string Setting, long LimitBytes, bool IsLearned)
{
    /// <summary>One sentence without values.</summary>
    public string Text
    {
        get
        {
            string what = IsValue ? $"{Command} has a value of {Bytes:N0} bytes" : $"the commands of the row, {Command} first, take {Bytes:N0} bytes together";
            return IsLearned
                ? $"{what}, over which Redis closes the connection: {Setting}, which could not be read, must be {LimitBytes:N0} or less"
                : $"{what}, and {Setting} of Redis is {LimitBytes:N0}";
        }
    }
}

/// <summary>
/// What one Redis takes at most. Behind a value or a transaction that is larger it closes the connection, so such a one must not be sent. What is checked for
/// every
/// batch is its length, which is known; only a row that is larger than the smallest possible limit is looked into.
/// </summary>
public sealed record RedisLimits
{
    /// <summary>The setting that bounds one value (Redis docs, "redis.conf", proto-max-bulk-len).</summary>
    public const string BulkSetting = "proto-max-bulk-len";

    /// <summary>
    /// The setting that bounds what a client has sent and Redis has not run: from version 7.2 on with all that MULTI has queued (Redis docs, "redis.conf",
    /// client-query-buffer-limit).
    /// </summary>
    public const string RequestSetting = "client-query-buffer-limit";

    /// <summary>What is named when Redis did not say which of them it was.</summary>
    public const string EitherSetting = $"{RequestSetting} or {BulkSetting}";

    /// <summary>Redis refuses to set either lower, so nothing of this size can be too large.</summary>
    public const int SmallestBytes = 1024 * 1024;

    /// <summary>What a flight has besides its changes: MULTI, EXEC, the positions and the question for the owner.</summary>
    const int FlightBytes = 8 * 1024;

    /// <summary>What a change takes when it is parked, besides its commands.</summary>
    const int ParkingBytes = 1024;

    /// <summary>What of a value's buffer is not the value: Redis reads on behind it.</summary>
    const int ReadAheadBytes = 32 * 1024;

    /// <summary>What follows from the settings.</summary>
    /// <param name="bulkBytes">proto-max-bulk-len.</param>
    /// <param name="requestBytes">client-query-buffer-limit.</param>
    /// <param name="countsQueued">Whether the server counts what MULTI has queued.</param>
    /// <param name="isOneValue">Whether the client sends a transaction as one value.</param>
    public static RedisLimits Of(long bulkBytes, long requestBytes, bool countsQueued, bool isOneValue)
    {
        var limits = new RedisLimits { BulkBytes = bulkBytes, RequestBytes = countsQueued ? requestBytes : long.MaxValue };
        if (requestBytes - ReadAheadBytes < bulkBytes) limits = limits with { BulkBytes = requestBytes - ReadAheadBytes, BulkName = RequestSetting };
        return isOneValue && limits.BulkBytes < limits.RequestBytes ? limits with { RequestBytes = limits.BulkBytes, RequestName = limits.BulkName } : limits;
    }

    /// <summary>Those that Redis has when nothing is configured.</summary>
    public static readonly RedisLimits Default = new();

    /// <summary>Largest value of a command, in bytes.</summary>
    public long BulkBytes { get; init; } = 512L * 1024 * 1024;

    /// <summary>The setting behind <see cref="BulkBytes"/>.</summary>
    public string BulkName { get; init; } = BulkSetting;

    /// <summary>Largest transaction, in bytes.</summary>
    public long RequestBytes { get; init; } = 1024L * 1024 * 1024;

    /// <summary>The setting behind <see cref="RequestBytes"/>: a client that sends a transaction as one value is bound by the other one.</summary>
    public string RequestName { get; init; } = RequestSetting;

    /// <summary>Whether a limit is not what Redis tells, but was learned from what it refused.</summary>
    public bool IsLearned { get; init; }

    /// <summary>Commands of one change that are no longer than this fit in any case.</summary>
    public long SafeBytes => Math.Min(BulkBytes, RequestBytes - FlightBytes - ParkingBytes);

    /// <summary>The largest sum of <see cref="Cost(Batch)"/> that fits one transaction.</summary>
    public long FlightCost => RequestBytes - FlightBytes;

    /// <summary>What a batch takes of a transaction at most, also when all of it has to be parked.</summary>
    public static long Cost(Batch batch) => batch.Body.Length + 2L * batch.Keys.Length + (long)batch.Count * ParkingBytes;

    /// <inheritdoc cref="Cost(Batch)"/>
    public static long Cost(in BatchEntry entry) => entry.BodyLength + 2L * entry.KeyLength + ParkingBytes;

    /// <summary>What is too large in the commands of one change; null when Redis takes them.</summary>
    public Oversize? Refuse(ReadOnlySpan<byte> commands)
    {
        if (commands.Length <= SafeBytes) return null;
        var (name, bytes) = Largest(commands);
        if (bytes > BulkBytes) return new Oversize(name, bytes, true, BulkName, BulkBytes, IsLearned);
        return commands.Length > RequestBytes - FlightBytes - ParkingBytes
            ? new Oversize(CommandText.Names(commands)[0], commands.Length, false, RequestName, RequestBytes, IsLearned) : null;
    }

    /// <summary>The largest value of some commands, and the name of the command that has it.</summary>
    public static (string Command, int Bytes) Largest(ReadOnlySpan<byte> commands)
    {
        string command = "";
        int largest = 0;
        var reader = new CommandReader(commands);
        while (reader.TryReadCommand(out int arguments))
        {
            ReadOnlySpan<byte> name = default;
            for (int i = 0; i < arguments; i++)
            {
                var value = reader.ReadArgument();
                if (i == 0) name = value;
                if (value.Length <= largest) continue;
                largest = value.Length;
                command = Encoding.UTF8.GetString(name);
            }
        }
        return (command, largest);
    }
}

/// <summary>
/// The limits of a Redis that does not tell them (CONFIG is denied or renamed), or behind a proxy with limits of its own: what it refused once is not sent
/// again. Kept until
/// the node ends, or until Redis tells other limits than those that turned out wrong. Thread-safe.
/// </summary>
public sealed class LearnedLimits
{
    sealed record State(RedisLimits Told, RedisLimits Limits);

    readonly Lock gate = new();
    volatile State? state;

    /// <summary>What holds for a connection.</summary>
    /// <param name="told">What Redis told it.</param>
    public RedisLimits Of(RedisLimits told) => state is { } known && (ReferenceEquals(known.Told, told) || known.Told == told) ? known.Limits : told;

    /// <summary>A value of this size was refused.</summary>
    public void RefusedValue(RedisLimits told, long bytes) =>
        Learn(told, bytes, limits => limits with { BulkBytes = Math.Min(limits.BulkBytes, bytes - 1), IsLearned = true });

    /// <summary>Commands of one change of this size were refused.</summary>
    public void RefusedChange(RedisLimits told, long bytes) =>
        Learn(told, bytes, limits => limits with
        {
            RequestBytes = Math.Min(limits.RequestBytes, bytes - 1),
            RequestName = RedisLimits.EitherSetting,
            IsLearned = true,
        });

    void Learn(RedisLimits told, long bytes, Func<RedisLimits, RedisLimits> lower)
    {
        // What no Redis refuses for its size was refused for something else.
        if (bytes <= RedisLimits.SmallestBytes) return;
        lock (gate) state = new State(told, lower(Of(told)));
    }
}

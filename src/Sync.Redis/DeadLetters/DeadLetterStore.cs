using System.Globalization;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.DeadLetters;

/// <param name="Id">The dead letter that failed again, or was not tried.</param>
/// <param name="Error">Why, without values.</param>
/// <param name="WasTried">Whether Redis was asked to run its commands.</param>
public readonly record struct ReplayFailure(string Id, string Error, bool WasTried = true);

/// <param name="Applied">Dead letters of the key that were applied and removed.</param>
/// <param name="Failure">What stopped the replay; null when the key has none left.</param>
public readonly record struct ReplayResult(int Applied, ReplayFailure? Failure);

/// <summary>
/// Changes that Redis refused for good, kept in Redis itself: a stream in the order of parking, a hash that counts them per ordering
/// key, a hash of retries. All three change together, so the hash always says which keys must not be written to.
/// </summary>
public sealed class DeadLetterStore(RedisKeys keys, TimeProvider time)
{
    const int PageSize = 50;
    const int ScanCount = 1000;

    /// <summary>Parks dead letters in their order and, in the same transaction, records a position.</summary>
    /// <param name="connection">Where to.</param>
    /// <param name="letters">May be empty.</param>
    /// <param name="progress">Field of the progress hash and the position that Redis has reached once these are parked; null for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Their ids.</returns>
    /// <exception cref="RedisTransientException">With an unknown outcome the recorded position says whether they were parked.</exception>
    public async ValueTask<IReadOnlyList<string>> ParkAsync(
        RespConnection connection, IReadOnlyList<DeadLetter> letters, (ReadOnlyMemory<byte> Field, Position Reached)? progress,
        CancellationToken cancellationToken)
    {
        var commands = new RespCommands();
        foreach (var letter in letters) commands.Add(DeadLetterCodec.ToAdd(keys.DeadLetters, letter));
        foreach (var letter in letters) commands.Add("HINCRBY", keys.ParkedKeys, letter.Key, 1);
        if (progress is { } mark) commands.Add("HSET", keys.Progress, mark.Field, mark.Reached.ToString());
        if (commands.Count == 0) return [];
        var replies = await Transaction.RunAsync(connection, commands, cancellationToken);
        return [.. replies.Take(letters.Count).Select(reply => reply.AsString()!)];
    }

    /// <summary>
    /// A batch of the commands that park dead letters in their order, to be sent in the flight that goes on without them: so that what was
    /// written, what was parked and the position reached stand or fall together.
    /// </summary>
    public Batch ParkingBatch(IReadOnlyList<DeadLetter> letters)
    {
        var batch = new Batch();
        foreach (var letter in letters)
        {
            var commands = new RespCommands().Add(DeadLetterCodec.ToAdd(keys.DeadLetters, letter)).Add("HINCRBY", keys.ParkedKeys, letter.Key, 1);
            batch.Add(0, letter.Position, commands.Bytes.Span, commands.Count, letter.Key.Span, 0, letter.Kind, 0);
        }
        return batch;
    }

    /// <summary>The ordering keys that have dead letters, and how many each. Can be asked with spans.</summary>
    public async ValueTask<Dictionary<byte[], long>> LoadParkedKeysAsync(RespConnection connection, CancellationToken cancellationToken)
    {
        var parked = new Dictionary<byte[], long>(KeyBytesComparer.Instance);
        string cursor = "0";
        do
        {
            var reply = await ExecuteAsync(connection, cancellationToken, "HSCAN", keys.ParkedKeys, cursor, "COUNT", ScanCount);
            cursor = reply.Items[0].AsString()!;
            var items = reply.Items[1].Items;
            for (int i = 0; i + 1 < items.Count; i += 2)
                parked[items[i].Bytes.ToArray()] = long.Parse(items[i + 1].AsString()!, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        }
        while (cursor != "0");
        return parked;
    }

    /// <summary>How many dead letters there are.</summary>
    public async ValueTask<long> CountAsync(RespConnection connection, CancellationToken cancellationToken) =>
        (await ExecuteAsync(connection, cancellationToken, "XLEN", keys.DeadLetters)).AsInt64();

    /// <summary>Up to <paramref name="count"/> dead letters in the order of parking, behind the one with the id <paramref name="after"/>.</summary>
    /// <exception cref="SyncException">The stream holds something that is no dead letter.</exception>
    public async ValueTask<IReadOnlyList<DeadLetter>> ListAsync(
        RespConnection connection, string? after, int count, CancellationToken cancellationToken)
    {
        string from = "-";
        if (after is not null)
        {
            if (!TryParseId(after, out ulong ms, out ulong sequence)) return [];
            from = sequence < ulong.MaxValue ? $"{ms}-{sequence + 1}" : $"{ms + 1}-0";
        }
        return await RangeAsync(connection, from, "+", count, cancellationToken);
    }

    /// <summary>Those of changes that committed at or behind a place in the log. Reads all of them, some at a time.</summary>
    public async ValueTask<IReadOnlyList<DeadLetter>> SinceAsync(RespConnection connection, Lsn begin, CancellationToken cancellationToken)
    {
        var found = new List<DeadLetter>();
        string? after = null;
        for (IReadOnlyList<DeadLetter> page; (page = await ListAsync(connection, after, PageSize, cancellationToken)).Count > 0; after = page[^1].Id)
            found.AddRange(page.Where(letter => letter.Position.Commit >= begin));
        return found;
    }

    /// <summary>One dead letter; null when there is none with this id.</summary>
    public async ValueTask<DeadLetter?> GetAsync(RespConnection connection, string id, CancellationToken cancellationToken) =>
        TryParseId(id, out _, out _) ? (await RangeAsync(connection, id, id, 1, cancellationToken)).FirstOrDefault() : null;

    /// <summary>Removes dead letters without applying them; ids that are not there are passed over.</summary>
    /// <returns>How many were removed.</returns>
    public async ValueTask<long> RemoveAsync(RespConnection connection, IEnumerable<string> ids, CancellationToken cancellationToken)
    {
        long removed = 0;
        foreach (string[] some in ids.Where(id => TryParseId(id, out _, out _)).Chunk(ScanCount))
            removed += (await EvalAsync(connection, DeadLetterScripts.Remove, some.Select(id => (RedisArgument)id), cancellationToken)).AsInt64();
        return removed;
    }

    /// <summary>
    /// Applies the dead letters of one key in their order. Each is applied and removed at once, so that a crash in between repeats and
    /// loses nothing; the first that fails again stays, with its attempts and error updated, and so do those behind it.
    /// </summary>
    /// <param name="connection">Where to.</param>
    /// <param name="key">The ordering key.</param>
    /// <param name="force">Applies also what was overtaken by a later change; without, the replay stops there.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisTransientException">Redis can't now. What was applied so far is removed; the rest stays.</exception>
    public async ValueTask<ReplayResult> ReplayAsync(RespConnection connection, ReadOnlyMemory<byte> key, bool force, CancellationToken cancellationToken)
    {
        int applied = 0;
        foreach (string id in await InOrderAsync(connection, key, cancellationToken))
        {
            if (await GetAsync(connection, id, cancellationToken) is not { } letter) continue;
            if (WhyNot(letter, force) is { } reason) return new ReplayResult(applied, new ReplayFailure(id, reason, WasTried: false));
            if (!TryArguments(letter, out var arguments, out string error)) return new ReplayResult(applied, new ReplayFailure(id, error, WasTried: false));
            var reply = await EvalAsync(connection, DeadLetterScripts.Replay, arguments, cancellationToken);
            long outcome = reply.Items[0].AsInt64();
            if (outcome == 0) return new ReplayResult(applied, new ReplayFailure(id, DeadLetterCodec.CleanScriptError(reply.Items[1].AsString()!)));
            if (outcome == 1) applied++;
        }
        return new ReplayResult(applied, null);
    }

    /// <summary>Why a dead letter is not tried; null when it is.</summary>
    internal static string? WhyNot(DeadLetter letter, bool force)
    {
        if (letter.IsOvertaken && !force) return Overtaken;
        if (letter.Reference is not { } reference) return null;
        string row = reference.Row.Length > 0 ? $" ({reference.Row})" : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"its commands ({reference.Commands}, {reference.Bytes:N0} bytes) were too large for {reference.Setting} and are not kept; "
            + $"raise that in Redis, drop this dead letter, and have the row{row} written from PostgreSQL with actorsync verify --repair");
    }

    const string Overtaken = "a later change of its key was applied; drop it and repair the row, or retry with --force";

    /// <summary>The ids of a key's dead letters, in the order in which they are applied again.</summary>
    internal async ValueTask<IReadOnlyList<string>> InOrderAsync(RespConnection connection, ReadOnlyMemory<byte> key, CancellationToken cancellationToken) =>
        [.. ReplayOrder.Of(await PlacesAsync(connection, key, cancellationToken), place => place.Position).Select(place => place.Id)];

    /// <summary>The dead letters of a key, in the order of parking; without their commands, since there may be many.</summary>
    async ValueTask<List<(string Id, Position Position)>> PlacesAsync(RespConnection connection, ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        var places = new List<(string, Position)>();
        string? after = null;
        for (IReadOnlyList<DeadLetter> page; (page = await ListAsync(connection, after, PageSize, cancellationToken)).Count > 0; after = page[^1].Id)
            foreach (var letter in page)
                if (letter.Key.Span.SequenceEqual(key.Span)) places.Add((letter.Id!, letter.Position));
        return places;
    }

    bool TryArguments(DeadLetter letter, out List<RedisArgument> arguments, out string error)
    {
        arguments = [letter.Id!, letter.Key, DeadLetterCodec.Time(time.GetUtcNow())];
        error = "";
        try
        {
            var reader = new CommandReader(letter.Commands.Span);
            while (reader.TryReadCommand(out int count))
            {
                if (count > DeadLetterScripts.MaxArguments) error = $"a command has {count} arguments, too many to be called from a script";
                arguments.Add(count);
                for (int i = 0; i < count; i++) arguments.Add(reader.ReadArgument().ToArray());
            }
        }
        catch (FormatException exception)
        {
            error = exception.Message;
        }
        return error.Length == 0;
    }

    async ValueTask<IReadOnlyList<DeadLetter>> RangeAsync(
        RespConnection connection, string from, string to, int count, CancellationToken cancellationToken)
    {
        var entries = (await ExecuteAsync(connection, cancellationToken, "XRANGE", keys.DeadLetters, from, to, "COUNT", count)).Items;
        if (entries.Count == 0) return [];
        var command = new List<RedisArgument> { "HMGET", keys.Retries };
        foreach (var entry in entries) command.Add(entry.Items[0].Bytes);
        var retries = (await ExecuteAsync(connection, cancellationToken, command.ToArray())).Items;
        try
        {
            return [.. entries.Select((entry, i) => DeadLetterCodec.Parse(entry, retries[i].AsString()))];
        }
        catch (FormatException error)
        {
            throw new SyncException(ExitCode.RedisUnsuitable,
                $"The stream '{keys.DeadLetters}' in Redis at {connection.Endpoint} can't be read: {error.Message}; XDEL that entry if it is not needed.", error);
        }
    }

    ValueTask<RespValue> EvalAsync(
        RespConnection connection, string script, IEnumerable<RedisArgument> arguments, CancellationToken cancellationToken) =>
        ExecuteAsync(connection, cancellationToken, ["EVAL", script, 3, keys.DeadLetters, keys.ParkedKeys, keys.Retries, .. arguments]);

    static ValueTask<RespValue> ExecuteAsync(
        RespConnection connection, CancellationToken cancellationToken, params ReadOnlySpan<RedisArgument> arguments)
    {
        return Run(connection, new RespCommands().Add(arguments), cancellationToken);

        static async ValueTask<RespValue> Run(RespConnection connection, RespCommands command, CancellationToken cancellationToken) =>
            (await connection.ExecuteAsync(command, cancellationToken)).OrThrow(connection.Endpoint, connection.User);
    }

    /// <summary>A full id, <c>milliseconds-sequence</c>; Redis would take a part of one for a range.</summary>
    static bool TryParseId(string id, out ulong milliseconds, out ulong sequence)
    {
        sequence = 0;
        int dash = id.IndexOf('-');
        milliseconds = 0;
        return dash > 0
            && ulong.TryParse(id.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out milliseconds)
            && ulong.TryParse(id.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out sequence);
    }
}

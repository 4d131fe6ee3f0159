using System.Text;
using Sync.Engine.Retry;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Sink;

/// <summary>
/// Scans the replies to one flight without building any value. They come in up to four parts (Redis docs, "Transactions"):
/// 1. one for MULTI, which must be OK: were it refused, the commands behind it would run outside of any transaction;
/// 2. one per command, QUEUED or why it was not queued;
/// 3. one for EXEC: an array with a reply per command, or null when a watched key changed, or an error when something was
///    not queued, and then nothing ran;
/// 4. when the flight is fenced: one for WATCH, and the owner's token.
/// Reused from flight to flight. Commands are counted from 0 in the order they were sent.
/// </summary>
sealed class FlightReplies : IReplyConsumer
{
    const int MaxErrorChars = 500;

    /// <summary>Longest token that is compared; a longer one is somebody else's.</summary>
    const int MaxTokenBytes = 128;

    enum Stage { Multi, Queue, Exec, Results, Watch, Owner, Done }

    readonly RespTokenizer tokenizer = new(RespLimits.Default);
    readonly int[] itemsLeft = new int[RespLimits.Default.MaxDepth];
    int depth;
    Stage stage;
    int expected;
    int seen;
    bool failedInside;
    bool fenced;
    readonly byte[] owner = new byte[MaxTokenBytes];
    int ownerBytes;

    public bool WantsValues => false;

    /// <summary>Commands that failed: when queued, or when run.</summary>
    public List<(int Command, string Error)> Failures { get; } = [];

    /// <summary>Why MULTI was refused.</summary>
    public string? MultiError { get; private set; }

    /// <summary>Why EXEC was refused.</summary>
    public string? ExecError { get; private set; }

    /// <summary>Why the connection was lost, when Redis has said so: the last reply that came, or why MULTI was refused.</summary>
    public string? LastWords
    {
        get
        {
            if (MultiError is { } refusal && (RedisErrors.IsHangUp(refusal) || RedisErrors.Classify(refusal) == FailureClass.Fatal)) return refusal;
            if (stage is not (Stage.Queue or Stage.Exec) || Failures.Count == 0) return null;
            var (command, error) = Failures[^1];
            return command == seen - 1 && RedisErrors.IsHangUp(error) ? error : null;
        }
    }

    /// <summary>Whether EXEC answered null: a watched key had changed.</summary>
    public bool WasFenced { get; private set; }

    /// <summary>The owner's token as it was after the flight; empty when there was none.</summary>
    public ReadOnlySpan<byte> Owner => owner.AsSpan(0, Math.Min(ownerBytes, MaxTokenBytes));

    /// <param name="commands">How many commands stand between MULTI and EXEC.</param>
    /// <param name="renewed">Whether WATCH and GET of the owner's token follow.</param>
    public void Begin(int commands, bool renewed = false)
    {
        fenced = renewed;
        ownerBytes = 0;
        expected = commands;
        seen = 0;
        depth = 0;
        failedInside = false;
        stage = Stage.Multi;
        MultiError = null;
        ExecError = null;
        WasFenced = false;
        Failures.Clear();
    }

    public bool Feed(ReadOnlySpan<byte> bytes, out int used)
    {
        var rest = bytes;
        while (stage != Stage.Done)
        {
            if (stage == Stage.Queue && tokenizer.AtTokenStart) SkipQueued(ref rest);
            var token = tokenizer.Next(ref rest, out var content, out long number);
            if (token == RespToken.NeedMore) break;
            switch (stage)
            {
                case Stage.Multi:
                    TakeMulti(token, content);
                    break;
                case Stage.Queue:
                    TakeQueued(token, content);
                    break;
                case Stage.Exec:
                    TakeExec(token, content, number);
                    break;
                case Stage.Results:
                    TakeResult(token, content, number);
                    break;
                case Stage.Watch:
                    if (token != RespToken.Simple) throw new RespProtocolException("Redis answered WATCH with something else than OK.");
                    stage = Stage.Owner;
                    break;
                case Stage.Owner:
                    TakeOwner(token, content);
                    break;
            }
        }
        used = bytes.Length - rest.Length;
        return stage == Stage.Done;
    }

    /// <summary>The usual case of stage 2, without a call per reply.</summary>
    void SkipQueued(ref ReadOnlySpan<byte> rest)
    {
        var queued = "+QUEUED\r\n"u8;
        while (seen < expected && rest.StartsWith(queued))
        {
            rest = rest[queued.Length..];
            seen++;
        }
        if (seen == expected) stage = Stage.Exec;
    }

    void TakeMulti(RespToken token, ReadOnlySpan<byte> content)
    {
        if (token == RespToken.Error)
            MultiError = Text(content);
        else if (token != RespToken.Simple || !content.SequenceEqual("OK"u8))
            throw new RespProtocolException("Redis answered MULTI with something else than OK.");
        stage = Stage.Queue;
    }

    void TakeQueued(RespToken token, ReadOnlySpan<byte> content)
    {
        // Once MULTI was refused the replies are those of commands run one by one; nothing can be said about the flight.
        if (MultiError is not null) throw new RespProtocolException($"Redis refused MULTI: {MultiError}");
        if (token == RespToken.Error)
            Failures.Add((seen, Text(content)));
        else if (token != RespToken.Simple || !content.SequenceEqual("QUEUED"u8))
            throw new RespProtocolException("Redis answered a command inside MULTI with something else than QUEUED.");
        if (++seen == expected) stage = Stage.Exec;
    }

    void TakeExec(RespToken token, ReadOnlySpan<byte> content, long number)
    {
        stage = AfterExec;
        switch (token)
        {
            case RespToken.Error:
                ExecError = Text(content);
                break;
            case RespToken.Null:
                WasFenced = true;
                break;
            case RespToken.Array when number == expected && Failures.Count == 0:
                seen = 0;
                stage = Stage.Results;
                break;
            default:
                throw new RespProtocolException($"Redis answered EXEC of {expected} commands with an unexpected {token} of {number}.");
        }
    }

    void TakeResult(RespToken token, ReadOnlySpan<byte> content, long number)
    {
        switch (token)
        {
            case RespToken.BulkStart or RespToken.BulkChunk:
                return;
            case RespToken.Array when number > 0:
                if (depth == itemsLeft.Length) throw new RespProtocolException($"Redis nests arrays deeper than {itemsLeft.Length}.");
                itemsLeft[depth++] = (int)number;
                return;
            case RespToken.Error when !failedInside:
                Failures.Add((seen, Text(content)));
                failedInside = true;
                break;
        }
        while (depth > 0)
        {
            if (--itemsLeft[depth - 1] > 0) return;
            depth--;
        }
        failedInside = false;
        if (++seen == expected) stage = AfterExec;
    }

    Stage AfterExec => fenced ? Stage.Watch : Stage.Done;

    void TakeOwner(RespToken token, ReadOnlySpan<byte> content)
    {
        switch (token)
        {
            case RespToken.BulkStart:
                return;
            case RespToken.BulkChunk:
                if (ownerBytes + content.Length <= MaxTokenBytes) content.CopyTo(owner.AsSpan(ownerBytes));
                ownerBytes += content.Length;
                return;
            case RespToken.BulkEnd or RespToken.Null:
                stage = Stage.Done;
                return;
            default:
                throw new RespProtocolException("Redis answered the question for the owner with something else than a text.");
        }
    }

    static string Text(ReadOnlySpan<byte> content) => Encoding.UTF8.GetString(content[..Math.Min(content.Length, MaxErrorChars)]);
}

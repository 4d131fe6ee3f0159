using Sync.Redis.Protocol;

namespace Sync.Redis.Connections;

/// <summary>Takes the replies of one exchange as they arrive.</summary>
interface IReplyConsumer
{
    /// <summary>False when only errors matter: then any other reply may stand for that of a command inside a transaction.</summary>
    bool WantsValues { get; }

    /// <summary>Takes bytes; true when the last reply is complete, with how many of them were used. False means all were used.</summary>
    /// <exception cref="RespProtocolException">What came can't be the replies to what was sent.</exception>
    bool Feed(ReadOnlySpan<byte> bytes, out int used);
}

/// <summary>Keeps every reply as a value.</summary>
sealed class PipelineReplies(int count) : IReplyConsumer
{
    readonly RespReader reader = new();
    int filled;

    public bool WantsValues => true;

    public RespValue[] Values { get; } = new RespValue[count];

    /// <summary>The text of the last reply that came if it is an error.</summary>
    public string? LastError => filled > 0 && Values[filled - 1].IsError ? Values[filled - 1].ErrorText : null;

    public bool Feed(ReadOnlySpan<byte> bytes, out int used)
    {
        var rest = bytes;
        while (filled < Values.Length && reader.TryRead(ref rest, out var value)) Values[filled++] = value;
        used = bytes.Length - rest.Length;
        return filled == Values.Length;
    }
}

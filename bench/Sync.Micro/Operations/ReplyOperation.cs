using System.Text;
using Sync.Redis.Sink;

namespace Sync.Micro.Operations;

/// <summary>Redis' replies to a flight of a command per row, cut as a socket may cut them.</summary>
sealed class ReplyOperation : Operation
{
    // Prime, so that the cuts fall anywhere.
    const int piece = 4093;

    readonly FlightReplies replies = new();
    readonly byte[] bytes = Encoding.ASCII.GetBytes(
        $"+OK\r\n{string.Concat(Enumerable.Repeat("+QUEUED\r\n", Rows))}*{Rows}\r\n{string.Concat(Enumerable.Range(0, Rows).Select(i => $":{i % 9}\r\n"))}");

    public override long Run()
    {
        replies.Begin(Rows);
        bool isWhole = false;
        int at = 0;
        while (!isWhole && at < bytes.Length)
        {
            isWhole = replies.Feed(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)), out int used);
            at += used;
        }
        return isWhole && replies.Failures.Count == 0 ? at : throw new InvalidOperationException("The replies were not understood.");
    }
}

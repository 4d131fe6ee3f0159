using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sync.Load.Latency;

/// <summary>
/// Hears the message that every row sends in the transaction that writes it, and notes when all rows of a beat are there. It sleeps in between:
/// with a thread that looked every 0.1 ms this program used about 0.6 of a core, on the machine of those who are measured.
/// </summary>
sealed class RedisListener : IDisposable
{
    readonly Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    readonly LatencyScenario scenario;
    readonly int[] missing;
    readonly TaskCompletionSource listening = new(TaskCreationOptions.RunContinuationsAsynchronously), done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int left;

    /// <param name="port">Of a Redis on the loopback address.</param>
    /// <param name="scenario">How many tables there are, and how many rows a beat has.</param>
    /// <param name="beats">How many beats to wait for.</param>
    public RedisListener(int port, LatencyScenario scenario, int beats)
    {
        this.scenario = scenario;
        left = beats;
        missing = new int[beats];
        Array.Fill(missing, scenario.RowsPerTransaction);
        SeenAt = new long[beats];
        socket.Connect(IPAddress.Loopback, port);
    }

    /// <summary>When the last message of a beat arrived; timestamps of <see cref="Stopwatch"/>.</summary>
    public long[] SeenAt { get; }

    /// <summary>Subscribes, and returns when Redis has said so.</summary>
    public Task StartAsync()
    {
        new Thread(Listen) { IsBackground = true }.Start();
        return listening.Task;
    }

    public Task WaitAsync(CancellationToken cancellationToken) => done.Task.WaitAsync(cancellationToken);

    void Listen()
    {
        try
        {
            socket.Send(Encoding.ASCII.GetBytes($"SUBSCRIBE {LatencyScenario.Channel}\r\n"));
            byte[] buffer = new byte[64 * 1024];
            int length = 0;
            while (left > 0)
            {
                int received = socket.Receive(buffer, length, buffer.Length - length, SocketFlags.None);
                if (received == 0) throw new EndOfStreamException("Redis closed the connection.");
                long now = Stopwatch.GetTimestamp();
                length += received;
                int used = Take(buffer.AsSpan(0, length), now);
                buffer.AsSpan(used, length - used).CopyTo(buffer);
                length -= used;
            }
            done.TrySetResult();
        }
        catch (Exception e)
        {
            listening.TrySetException(e);
            done.TrySetException(e);
        }
    }

    /// <summary>Takes whole messages: an array of the kind, the channel, and "table:round" or, for the answer to SUBSCRIBE, a number.</summary>
    int Take(ReadOnlySpan<byte> bytes, long now)
    {
        int used = 0;
        while (true)
        {
            var rest = bytes[used..];
            if (!TryLine(ref rest, out _) || !TryBulk(ref rest, out var kind) || !TryBulk(ref rest, out _) || !TryLine(ref rest, out _)) return used;
            if (kind.SequenceEqual("subscribe"u8)) listening.TrySetResult();
            else if (!TryLine(ref rest, out var text)) return used;
            else Heard(text, now);
            used = bytes.Length - rest.Length;
        }
    }

    void Heard(ReadOnlySpan<byte> text, long now)
    {
        if (!Utf8Parser.TryParse(text, out int table, out int used) || !Utf8Parser.TryParse(text[(used + 1)..], out int round, out _))
            throw new InvalidDataException($"Redis told '{Encoding.ASCII.GetString(text)}'.");
        // The rounds of a table begin with 1; its beats are a round of all tables apart.
        int beat = table + (round - 1) * scenario.Tables;
        if (--missing[beat] > 0) return;
        SeenAt[beat] = now;
        left--;
    }

    static bool TryBulk(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> content)
    {
        content = default;
        return TryLine(ref rest, out _) && TryLine(ref rest, out content);
    }

    static bool TryLine(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> line)
    {
        int end = rest.IndexOf("\r\n"u8);
        line = end < 0 ? default : rest[..end];
        if (end >= 0) rest = rest[(end + 2)..];
        return end >= 0;
    }

    public void Dispose() => socket.Dispose();
}

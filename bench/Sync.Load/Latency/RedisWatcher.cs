using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Sync.Load.Latency;

/// <summary>
/// Looks at one counter in Redis again and again, about every 50 µs plus the round trip, and notes when each value was first seen. It sleeps
/// in between, because a spinning thread would take a core from those who are measured.
/// </summary>
sealed class RedisWatcher : IDisposable
{
    const uint napMicroseconds = 50;
    const int timerSlack = 29;

    readonly Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    readonly byte[] request;
    readonly byte[] reply = new byte[64];
    readonly int beats;
    readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    long looks, lookingTicks;

    /// <param name="port">Of a Redis on the loopback address.</param>
    /// <param name="key">Holds the number of the last beat, from 1.</param>
    /// <param name="beats">The last number to wait for.</param>
    public RedisWatcher(int port, string key, int beats)
    {
        this.beats = beats;
        SeenAt = new long[beats];
        request = Encoding.ASCII.GetBytes($"*2\r\n$3\r\nGET\r\n${key.Length}\r\n{key}\r\n");
        socket.Connect(IPAddress.Loopback, port);
    }

    /// <summary>When a beat was first seen; timestamps of <see cref="Stopwatch"/>.</summary>
    public long[] SeenAt { get; }

    /// <summary>Mean time between two looks.</summary>
    public double ResolutionMs => lookingTicks * 1e3 / Stopwatch.Frequency / Math.Max(1, looks);

    public void Start() => new Thread(Watch) { IsBackground = true }.Start();

    public Task WaitAsync(CancellationToken cancellationToken) => done.Task.WaitAsync(cancellationToken);

    void Watch()
    {
        try
        {
            // Linux rounds naps of a thread up by its timer slack, 50 µs by default (prctl(2), PR_SET_TIMERSLACK, in ns).
            _ = Prctl(timerSlack, 1000, 0, 0, 0);
            long begin = Stopwatch.GetTimestamp();
            for (long seen = 0; seen < beats; looks++)
            {
                long value = Look();
                long now = Stopwatch.GetTimestamp();
                // Values that were overwritten between two looks have become visible by now as well.
                for (; seen < value; seen++) SeenAt[seen] = now;
                _ = Sleep(napMicroseconds);
            }
            lookingTicks = Stopwatch.GetTimestamp() - begin;
            done.TrySetResult();
        }
        catch (Exception e)
        {
            done.TrySetException(e);
        }
    }

    long Look()
    {
        socket.Send(request);
        int length = 0;
        while (true)
        {
            int received = socket.Receive(reply, length, reply.Length - length, SocketFlags.None);
            if (received == 0) throw new EndOfStreamException("Redis closed the connection.");
            length += received;
            var whole = reply.AsSpan(0, length);
            if (whole.StartsWith("$-1\r\n"u8)) return 0;
            int line = whole.IndexOf("\r\n"u8);
            if (line < 0 || !whole[(line + 2)..].EndsWith("\r\n"u8)) continue;
            return Utf8Parser.TryParse(whole[(line + 2)..^2], out long value, out _) ? value : throw new InvalidDataException("The counter in Redis is no number.");
        }
    }

    public void Dispose() => socket.Dispose();

    [DllImport("libc", EntryPoint = "usleep")]
    static extern int Sleep(uint microseconds);

    [DllImport("libc", EntryPoint = "prctl")]
    static extern int Prctl(int option, nuint value, nuint third, nuint fourth, nuint fifth);
}

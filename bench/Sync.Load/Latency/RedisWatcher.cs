using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sync.Load.Latency;

/// <summary>Looks at the counters of all tables in Redis again and again, about every 50 µs plus the round trip, and notes when each beat was first seen whole.</summary>
sealed class RedisWatcher : IDisposable
{
    static readonly TimeSpan nap = TimeSpan.FromMicroseconds(50);

    readonly Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    readonly byte[] request;
    readonly byte[] reply = new byte[1024];
    readonly LatencyScenario scenario;
    readonly long[] counters;
    readonly int beats;
    readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    long looks, lookingTicks;

    /// <param name="port">Of a Redis on the loopback address.</param>
    /// <param name="scenario">How many tables there are, and how many rows a beat has.</param>
    /// <param name="beats">How many beats to wait for.</param>
    public RedisWatcher(int port, LatencyScenario scenario, int beats)
    {
        this.scenario = scenario;
        this.beats = beats;
        counters = new long[scenario.Tables];
        SeenAt = new long[beats];
        string keys = string.Concat(Enumerable.Range(0, scenario.Tables).Select(LatencyScenario.Counter).Select(key => $"${key.Length}\r\n{key}\r\n"));
        request = Encoding.ASCII.GetBytes($"*{scenario.Tables + 1}\r\n$4\r\nMGET\r\n{keys}");
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
            Nap.BePrecise();
            int[] next = [.. Enumerable.Range(0, scenario.Tables)];
            long begin = Stopwatch.GetTimestamp();
            for (int left = beats; left > 0; looks++)
            {
                Look();
                long now = Stopwatch.GetTimestamp();
                for (int table = 0; table < next.Length; table++)
                {
                    long whole = counters[table] / scenario.RowsPerTransaction;
                    // Beats of a table are a round apart; what happened between two looks has become visible by now as well.
                    for (; next[table] < beats && next[table] / scenario.Tables < whole; next[table] += scenario.Tables, left--) SeenAt[next[table]] = now;
                }
                Nap.For(nap);
            }
            lookingTicks = Stopwatch.GetTimestamp() - begin;
            done.TrySetResult();
        }
        catch (Exception e)
        {
            done.TrySetException(e);
        }
    }

    void Look()
    {
        socket.Send(request);
        int length = 0;
        do
        {
            int received = socket.Receive(reply, length, reply.Length - length, SocketFlags.None);
            if (received == 0) throw new EndOfStreamException("Redis closed the connection.");
            length += received;
        }
        while (!TryRead(reply.AsSpan(0, length)));
    }

    /// <summary>Takes the counters out of the reply; false when it is not whole yet.</summary>
    bool TryRead(ReadOnlySpan<byte> rest)
    {
        if (!TryLine(ref rest, out _)) return false;
        for (int table = 0; table < counters.Length; table++)
        {
            if (!TryLine(ref rest, out var head)) return false;
            if (head.SequenceEqual("$-1"u8)) continue;
            if (!TryLine(ref rest, out var text)) return false;
            if (!Utf8Parser.TryParse(text, out counters[table], out _)) throw new InvalidDataException("A counter in Redis is no number.");
        }
        return true;
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

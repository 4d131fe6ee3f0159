using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Sync.Testing;

/// <summary>
/// A Redis client of a few lines for asserts, written apart from the product's so that a test doesn't trust the code it tests.
/// Replies: null, long, string (Latin-1, one char per byte, so that binary survives), object?[] or <see cref="TestRedisException"/>.
/// Not thread-safe.
/// </summary>
public sealed class TestRedis : IDisposable
{
    readonly TcpClient client;
    readonly BufferedStream stream;

    TestRedis(TcpClient client)
    {
        this.client = client;
        stream = new BufferedStream(client.GetStream(), 64 * 1024);
    }

    public static async Task<TestRedis> ConnectAsync(int port, string? password = null)
    {
        var client = new TcpClient { NoDelay = true };
        try { await client.ConnectAsync("127.0.0.1", port); }
        catch
        {
            client.Dispose();
            throw;
        }
        var redis = new TestRedis(client);
        if (password is not null) await redis.CommandAsync("AUTH", password);
        return redis;
    }

    /// <summary>Runs one command; an error reply is thrown, errors inside an array are returned. Arguments are sent as UTF-8.</summary>
    public async Task<object?> CommandAsync(params string[] arguments)
    {
        var request = new MemoryStream();
        request.Write(Encoding.ASCII.GetBytes($"*{arguments.Length}\r\n"));
        foreach (string argument in arguments)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(argument);
            request.Write(Encoding.ASCII.GetBytes($"${bytes.Length}\r\n"));
            request.Write(bytes);
            request.Write("\r\n"u8);
        }
        await stream.WriteAsync(request.GetBuffer().AsMemory(0, (int)request.Length));
        await stream.FlushAsync();
        object? reply = await ReadAsync();
        return reply is TestRedisException error ? throw error : reply;
    }

    /// <summary>The next message of a subscription.</summary>
    public Task<object?> ReadPushAsync() => ReadAsync();

    async Task<object?> ReadAsync()
    {
        string line = await LineAsync();
        long Number() => long.Parse(line.AsSpan(1), CultureInfo.InvariantCulture);
        switch (line[0])
        {
            case '+': return line[1..];
            case '-': return new TestRedisException(line[1..]);
            case ':': return Number();
            case '$':
                if (Number() < 0) return null;
                byte[] bytes = new byte[Number() + 2];
                await stream.ReadExactlyAsync(bytes);
                return Encoding.Latin1.GetString(bytes, 0, bytes.Length - 2);
            case '*':
                if (Number() < 0) return null;
                object?[] items = new object?[Number()];
                for (int i = 0; i < items.Length; i++) items[i] = await ReadAsync();
                return items;
            default: throw new InvalidDataException($"Redis sent '{line}'.");
        }
    }

    async Task<string> LineAsync()
    {
        var line = new StringBuilder();
        byte[] one = new byte[1];
        while (true)
        {
            await stream.ReadExactlyAsync(one);
            if (one[0] == '\n') return line.ToString();
            if (one[0] != '\r') line.Append((char)one[0]);
        }
    }

    public void Dispose() => client.Dispose();
}

/// <summary>An error reply, its text as Redis sent it.</summary>
public sealed class TestRedisException(string message) : Exception(message);

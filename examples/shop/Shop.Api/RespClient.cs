using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Shop;

/// <summary>An error reply of Redis, such as <c>WRONGTYPE …</c>.</summary>
sealed class RespErrorException(string message) : Exception(message);

/// <summary>
/// The smallest useful Redis client: commands as text over one TCP connection, replies in RESP2 (Redis docs, "Redis
/// serialization protocol specification"). A reply is a string, a long, null or an array of replies. One caller at a time.
/// </summary>
sealed class RespClient : IDisposable
{
    readonly NetworkStream stream;
    byte[] buffer = new byte[64 * 1024];
    int start, end;

    RespClient(Socket socket) => stream = new NetworkStream(socket, ownsSocket: true);

    public static async Task<RespClient> ConnectAsync(string host, int port, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(host, port, ct);
            return new RespClient(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends one command and waits for its reply.</summary>
    /// <exception cref="RespErrorException">Redis answered with an error.</exception>
    /// <exception cref="IOException">The connection is lost.</exception>
    public async Task<object?> CommandAsync(CancellationToken ct, params string[] arguments)
    {
        await stream.WriteAsync(Encode([arguments]), ct);
        return await ReadAsync(ct);
    }

    /// <summary>Sends all commands at once; the replies come in their order. For up to some thousand short commands.</summary>
    public async Task<object?[]> PipelineAsync(IReadOnlyCollection<string[]> commands, CancellationToken ct)
    {
        // Sent beside reading: Redis stops reading when nobody takes its replies.
        var sending = stream.WriteAsync(Encode(commands), ct).AsTask();
        var replies = new object?[commands.Count];
        for (int i = 0; i < replies.Length; i++) replies[i] = await ReadAsync(ct);
        await sending;
        return replies;
    }

    /// <summary>Waits for the next reply, or the next message of a subscription.</summary>
    public async Task<object?> ReadAsync(CancellationToken ct)
    {
        string line = await LineAsync(ct);
        string rest = line[1..];
        switch (line[0])
        {
            case '+': return rest;
            case '-': throw new RespErrorException(rest);
            case ':': return long.Parse(rest, CultureInfo.InvariantCulture);
            case '$':
                int length = int.Parse(rest, CultureInfo.InvariantCulture);
                return length < 0 ? null : await TextAsync(length, ct);
            case '*':
                int count = int.Parse(rest, CultureInfo.InvariantCulture);
                if (count < 0) return null;
                var items = new object?[count];
                for (int i = 0; i < count; i++) items[i] = await ReadAsync(ct);
                return items;
            default: throw new IOException($"Redis sent a reply of the unknown kind '{line[0]}'.");
        }
    }

    public void Dispose() => stream.Dispose();

    static byte[] Encode(IReadOnlyCollection<string[]> commands)
    {
        var text = new MemoryStream();
        foreach (string[] command in commands)
        {
            text.Write(Encoding.ASCII.GetBytes($"*{command.Length}\r\n"));
            foreach (string argument in command)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(argument);
                text.Write(Encoding.ASCII.GetBytes($"${bytes.Length}\r\n"));
                text.Write(bytes);
                text.Write("\r\n"u8);
            }
        }
        return text.ToArray();
    }

    async ValueTask<string> LineAsync(CancellationToken ct)
    {
        int searched = 0;
        while (true)
        {
            int found = buffer.AsSpan(start + searched, end - start - searched).IndexOf("\r\n"u8);
            if (found >= 0)
            {
                string line = Encoding.UTF8.GetString(buffer, start, searched + found);
                start += searched + found + 2;
                return line.Length > 0 ? line : throw new IOException("Redis sent an empty line.");
            }
            searched = Math.Max(0, end - start - 1);
            await FillAsync(ct);
        }
    }

    async ValueTask<string> TextAsync(int length, CancellationToken ct)
    {
        while (end - start < length + 2) await FillAsync(ct);
        string text = Encoding.UTF8.GetString(buffer, start, length);
        start += length + 2;
        return text;
    }

    async ValueTask FillAsync(CancellationToken ct)
    {
        if (start > 0)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            end -= start;
            start = 0;
        }
        if (end == buffer.Length) Array.Resize(ref buffer, 2 * buffer.Length);
        int read = await stream.ReadAsync(buffer.AsMemory(end), ct);
        if (read == 0) throw new IOException("Redis closed the connection.");
        end += read;
    }
}

using System.Buffers.Binary;
using System.Net.Sockets;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Wire;

/// <summary>
/// What the server has sent and nobody has taken yet: messages are found in it whole, and handed out where they lie. Usage:
/// <code>
/// while (!buffer.TryTake(out byte type, out var body)) await buffer.FillAsync();
/// </code>
/// One reader at a time. A body is valid until the next call.
/// </summary>
sealed class WireBuffer
{
    const int smallBytes = 256 * 1024;

    /// <summary>Type and length (PostgreSQL docs, "Message Formats").</summary>
    const int headerBytes = 5;

    readonly Stream stream;
    readonly Socket? socket;
    byte[] bytes = new byte[smallBytes];
    int begin, end;

    /// <param name="stream">What is read, decrypted.</param>
    /// <param name="socket">The socket below it where nothing has to be decrypted, which saves a layer; null otherwise.</param>
    public WireBuffer(Stream stream, Socket? socket) => (this.stream, this.socket) = (stream, socket);

    /// <summary>Takes the next message when all of it is here.</summary>
    /// <exception cref="PgOutputException">What is here can't be a message.</exception>
    public bool TryTake(out byte type, out ReadOnlyMemory<byte> body)
    {
        int held = end - begin;
        if (held >= headerBytes)
        {
            // The length counts itself, but not the type.
            int length = 1 + BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(begin + 1));
            if (length < headerBytes) throw new PgOutputException($"PostgreSQL sent a message of type {bytes[begin]} with a length of {length - 1}.");
            if (held >= length)
            {
                type = bytes[begin];
                body = new ReadOnlyMemory<byte>(bytes, begin + headerBytes, length - headerBytes);
                begin += length;
                return true;
            }
            if (length > bytes.Length - begin) MakeRoom(length);
        }
        type = 0;
        body = default;
        return false;
    }

    /// <summary>Reads what has arrived, at least one byte; 0 when the server has closed the connection.</summary>
    public ValueTask<int> FillAsync(CancellationToken cancellationToken = default)
    {
        if (begin == end)
        {
            begin = end = 0;
            if (bytes.Length > smallBytes) bytes = new byte[smallBytes];
        }
        else if (bytes.Length - end < headerBytes)
            MakeRoom(headerBytes);
        var room = bytes.AsMemory(end);
        return socket is not null ? socket.ReceiveAsync(room, SocketFlags.None, cancellationToken) : stream.ReadAsync(room, cancellationToken);
    }

    /// <summary>What <see cref="FillAsync"/> read is there to be taken.</summary>
    public void Filled(int count) => end += count;

    /// <summary>Moves what is held to the front, so that a message of <paramref name="length"/> bytes fits.</summary>
    void MakeRoom(int length)
    {
        byte[] target = length <= bytes.Length ? bytes : new byte[length];
        bytes.AsSpan(begin, end - begin).CopyTo(target);
        (bytes, end, begin) = (target, end - begin, 0);
    }
}

using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Sync.Load.Cluster;

/// <summary>
/// The port by which a .NET process answers tools (dotnet/diagnostics, documentation/design-docs/ipc-protocol.md). A session that asks for the runtime's events of the heap
/// begins with a full collection, which is all that is wanted of it here: what an idle process holds shows only behind one.
/// </summary>
static class RuntimePort
{
    const byte eventPipe = 2, collectTracing = 2;
    const ulong heapCollect = 0x800000;
    const uint informational = 4, bufferMb = 16, netTrace = 1;
    const int headerBytes = 20;
    static readonly TimeSpan longest = TimeSpan.FromSeconds(5);

    /// <summary>Has a process of this machine collect its garbage.</summary>
    public static async Task CollectAsync(int pid, CancellationToken cancellationToken)
    {
        string path = Directory.GetFiles(Path.GetTempPath(), $"dotnet-diagnostic-{pid}-*-socket").Single();
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
        await socket.SendAsync(Request(), cancellationToken);
        // The events of the collection come and are thrown away; the session ends with the connection.
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(longest);
        byte[] events = new byte[64 * 1024];
        try
        {
            while (await socket.ReceiveAsync(events, enough.Token) > 0) { }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Nothing ends it by itself.
        }
    }

    static byte[] Request()
    {
        using var payload = new MemoryStream();
        using var writer = new BinaryWriter(payload);
        writer.Write(bufferMb);
        writer.Write(netTrace);
        writer.Write(1u);
        writer.Write(heapCollect);
        writer.Write(informational);
        WriteText(writer, "Microsoft-Windows-DotNETRuntime");
        WriteText(writer, "");
        byte[] message = new byte[headerBytes + (int)payload.Length];
        "DOTNET_IPC_V1\0"u8.CopyTo(message);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(14), (ushort)message.Length);
        (message[16], message[17]) = (eventPipe, collectTracing);
        payload.ToArray().CopyTo(message, headerBytes);
        return message;
    }

    static void WriteText(BinaryWriter writer, string text)
    {
        writer.Write((uint)text.Length + 1);
        writer.Write(Encoding.Unicode.GetBytes(text + "\0"));
    }
}

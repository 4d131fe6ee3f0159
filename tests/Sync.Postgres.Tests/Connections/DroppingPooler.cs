using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sync.Postgres.Tests;

/// <summary>Between client and server: takes the options out of each login and passes everything else on, as poolers do that are told to ignore what they don't know.</summary>
sealed class DroppingPooler : IDisposable
{
    const int sslRequest = 80877103;

    readonly TcpListener listener = new(IPAddress.Loopback, 0);
    readonly int server;

    public DroppingPooler(int server)
    {
        this.server = server;
        listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // It is over.
        }
    }

    async Task ServeAsync(TcpClient client)
    {
        using (client)
        using (var upstream = new TcpClient())
            try
            {
                await upstream.ConnectAsync(IPAddress.Loopback, server);
                var (near, far) = (client.GetStream(), upstream.GetStream());
                byte[] login = await StartupAsync(near);
                await far.WriteAsync(login);
                await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // One of the two is gone.
            }
    }

    static async Task<byte[]> StartupAsync(NetworkStream near)
    {
        while (true)
        {
            byte[] head = new byte[8];
            await near.ReadExactlyAsync(head);
            byte[] body = new byte[BinaryPrimitives.ReadInt32BigEndian(head) - 8];
            await near.ReadExactlyAsync(body);
            if (BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(4)) == sslRequest) await near.WriteAsync("N"u8.ToArray());
            else return Login(head, body);
        }
    }

    static byte[] Login(byte[] head, byte[] body)
    {
        string[] texts = Encoding.UTF8.GetString(body).TrimEnd('\0').Split('\0');
        string[] kept = [.. texts.Chunk(2).Where(pair => pair[0] != "options").SelectMany(pair => pair)];
        byte[] rest = [.. kept.SelectMany(text => Encoding.UTF8.GetBytes(text + '\0')), 0];
        BinaryPrimitives.WriteInt32BigEndian(head, 8 + rest.Length);
        return [.. head, .. rest];
    }

    public void Dispose() => listener.Dispose();
}

using System.Net;
using System.Net.Sockets;

namespace Sync.Testing;

/// <summary>Free TCP ports on the loopback address.</summary>
public static class Ports
{
    // Below Linux's range for outgoing connections (32768 and up), so that a port stays ours while its server restarts.
    const int First = 15000, End = 32000;
    static readonly HashSet<int> given = [];

    /// <summary>A port that nobody listens on now and that this process was not given before.</summary>
    public static int Free()
    {
        for (int attempt = 0; attempt < 1000; attempt++)
        {
            int port = Random.Shared.Next(First, End);
            lock (given)
                if (!given.Add(port)) continue;
            if (IsFree(port)) return port;
        }
        throw new InvalidOperationException("No free port on 127.0.0.1.");
    }

    static bool IsFree(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
        finally
        {
            listener.Stop();
        }
    }
}

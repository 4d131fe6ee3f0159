using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Sync.Actors.Tests.Hosting.Tls;

/// <summary>
/// Answers in the place of a node with a certificate of its own, takes every caller, and never reads a byte behind the handshake. Without a certificate it
/// hangs up at once.
/// </summary>
sealed class TlsPeer : IDisposable
{
    readonly TcpListener listener;
    readonly X509Certificate2? certificate;
    readonly List<IDisposable> kept = [];
    readonly TaskCompletionSource called = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TlsPeer(string? certFile, string? keyFile, int port = 0)
    {
        certificate = certFile is null ? null : X509Certificate2.CreateFromPemFile(certFile, keyFile);
        listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Done when it was called.</summary>
    public Task Called => called.Task;

    async Task AcceptAsync()
    {
        try
        {
            while (true) _ = WelcomeAsync(await listener.AcceptSocketAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    async Task WelcomeAsync(Socket socket)
    {
        called.TrySetResult();
        if (certificate is null)
        {
            socket.Dispose();
            return;
        }
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true), false, (_, _, _, _) => true);
        lock (kept) kept.Add(stream);
        try
        {
            await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate, ClientCertificateRequired = true });
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException or ObjectDisposedException)
        {
            // It was refused.
            stream.Dispose();
        }
    }

    public void Dispose()
    {
        listener.Dispose();
        lock (kept) kept.ForEach(k => k.Dispose());
        certificate?.Dispose();
    }
}

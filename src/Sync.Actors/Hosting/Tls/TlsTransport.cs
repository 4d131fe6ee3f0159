using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Akka.Remote.Transport;

namespace Sync.Actors.Hosting.Tls;

/// <summary>
/// Connections between nodes that prove who they are. Akka.NET's own transport sends no intermediate certificates, keeps what a slow node does not read
/// without a bound, and ends the whole node when a handshake with one it calls fails (docs/adr/0023-akka-remote-tls.md). This one is plain sockets and <see
/// cref="SslStream"/>, with the same frames, so that nodes on both understand each other: a length of four bytes, little-endian, and the payload.
/// <para>Loaded by name from <see cref="ClusterHocon"/>; the certificates come by <see cref="TlsSetup"/>.</para>
/// </summary>
sealed class TlsTransport : Transport
{
    public const string ConfigPath = "akka.remote.actorsync-tls";

    /// <summary>Callers that have not shown who they are yet; more of them wait in the kernel's queue.</summary>
    const int mostHandshakes = 64;
    static readonly TimeSpan acceptPause = TimeSpan.FromMilliseconds(100);

    readonly TlsIdentity identity;
    readonly ILoggingAdapter log;
    readonly string host;
    readonly string publicHost;
    readonly int port;
    readonly TimeSpan connectTimeout;
    readonly CancellationTokenSource stopping = new();
    readonly SemaphoreSlim handshakes = new(mostHandshakes);
    readonly ConcurrentDictionary<TlsAssociation, bool> open = new();
    readonly TaskCompletionSource<IAssociationEventListener> listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    Socket? listener;
    Address? local;

    public TlsTransport(ActorSystem system, Config config)
    {
        System = system;
        Config = config;
        SchemeIdentifier = "ssl.tcp";
        MaximumPayloadBytes = config.GetByteSize("maximum-frame-size", null) ?? ClusterHocon.MaxFrameBytes;
        host = config.GetString("hostname");
        publicHost = config.GetString("public-hostname");
        port = config.GetInt("port");
        connectTimeout = config.GetTimeSpan("connection-timeout");
        log = Logging.GetLogger(system, GetType());
        var setup = system.Settings.Setup.Get<TlsSetup>();
        identity = setup.HasValue ? setup.Value.Identity : throw new ConfigurationException($"{nameof(TlsTransport)} needs a {nameof(TlsSetup)}.");
    }

    public override async Task<(Address, TaskCompletionSource<IAssociationEventListener>)> Listen()
    {
        var endpoint = new IPEndPoint(await ResolveAsync(host, stopping.Token), port);
        listener = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(endpoint);
            listener.Listen();
        }
        catch (SocketException e)
        {
            throw new InvalidAssociationException($"The address {endpoint} of cluster.host and cluster.port is not to be had: {e.Message}", e);
        }
        local = new Address(SchemeIdentifier, System.Name, publicHost, ((IPEndPoint)listener.LocalEndPoint!).Port);
        _ = AcceptAsync();
        return (local, listening);
    }

    public override bool IsResponsibleFor(Address remote) => true;

    public override async Task<AssociationHandle> Associate(Address remoteAddress)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        limit.CancelAfter(connectTimeout);
        Socket? socket = null;
        string? refusal = null;
        try
        {
            var endpoint = new IPEndPoint(await ResolveAsync(remoteAddress.Host, limit.Token), remoteAddress.Port!.Value);
            socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(endpoint, limit.Token);
            var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await stream.AuthenticateAsClientAsync(identity.ForClient(remoteAddress.Host, fault => refusal = fault), limit.Token);
            return Open(stream, remoteAddress);
        }
        catch (Exception e)
        {
            socket?.Dispose();
            throw new InvalidAssociationException($"Node {remoteAddress} can't be reached: {refusal ?? Reason(e)}", e);
        }
    }

    public override async Task<bool> Shutdown()
    {
        await stopping.CancelAsync();
        listener?.Dispose();
        await Task.WhenAll(open.Keys.Select(a => a.CloseAsync()));
        return true;
    }

    async Task AcceptAsync()
    {
        try
        {
            // Nobody is let in before there is somebody to hand them to.
            var receiver = await listening.Task.WaitAsync(stopping.Token);
            while (true)
            {
                await handshakes.WaitAsync(stopping.Token);
                var socket = await AcceptOneAsync();
                _ = WelcomeAsync(socket, receiver);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException || stopping.IsCancellationRequested)
        {
            // The transport was shut down.
        }
    }

    async Task<Socket> AcceptOneAsync()
    {
        while (true)
        {
            try
            {
                return await listener!.AcceptAsync(stopping.Token);
            }
            catch (SocketException e) when (!stopping.IsCancellationRequested)
            {
                // Such as no file handle left, which passes; a node that never accepts again would look alive and be none.
                log.Warning("A connection could not be accepted: {0}", e.Message);
                await Task.Delay(acceptPause, stopping.Token);
            }
        }
    }

    async Task WelcomeAsync(Socket socket, IAssociationEventListener receiver)
    {
        EndPoint? caller = null;
        string? refusal = null;
        try
        {
            caller = socket.RemoteEndPoint;
            socket.NoDelay = true;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
            limit.CancelAfter(connectTimeout);
            var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await stream.AuthenticateAsServerAsync(identity.ForServer(fault => refusal = fault), limit.Token);
            var from = (IPEndPoint)caller!;
            receiver.Notify(new InboundAssociation(Open(stream, new Address(SchemeIdentifier, System.Name, from.Address.ToString(), from.Port))));
        }
        catch (Exception e)
        {
            socket.Dispose();
            if (!stopping.IsCancellationRequested) log.Warning("A caller from {0} is no node of this cluster: {1}", caller, refusal ?? Reason(e));
        }
        finally
        {
            handshakes.Release();
        }
    }

    TlsAssociation Open(SslStream stream, Address remote)
    {
        var association = new TlsAssociation(stream, local!, remote, (int)MaximumPayloadBytes, log);
        open[association] = true;
        _ = association.Closed.ContinueWith(_ => open.TryRemove(association, out bool _), TaskScheduler.Default);
        // A transport that is shut down meanwhile has not seen this one.
        if (stopping.IsCancellationRequested) _ = association.CloseAsync();
        return association;
    }

    static async Task<IPAddress> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var address)) return address;
        var all = await Dns.GetHostAddressesAsync(host, cancellationToken);
        return all.OrderBy(a => a.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).FirstOrDefault()
            ?? throw new SocketException((int)SocketError.HostNotFound);
    }

    static string Reason(Exception error) => error switch
    {
        OperationCanceledException => "no answer in time",
        { InnerException: { } inner } => $"{error.Message} {inner.Message}",
        _ => error.Message,
    };
}

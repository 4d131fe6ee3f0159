using System.Diagnostics;
using Akka.Configuration;
using Akka.Remote.Transport;
using Google.Protobuf;
using Sync.Actors.Hosting.Tls;
using Sync.Contracts.Configuration;
using Sync.Testing;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Hosting.Tls;

/// <summary>A peer that has proved who it is and then stops reading its socket.</summary>
[Collection("clusters")]
[Trait("Speed", "Slow")]
public sealed class TlsStalledPeerTests(ITestOutputHelper output) : IDisposable
{
    const int mebibyte = 1024 * 1024;

    readonly Sandbox folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_waits_for_a_peer_that_does_not_read_should_be_bounded()
    {
        var files = TestCertificates.Create(folder.File("ours"));
        using var peer = new TlsPeer(files.NodeCert, files.NodeKey);
        var own = TestNode.Options(FreePorts.Free()) with { Tls = new TlsOptions { Cert = files.NodeCert, Key = files.NodeKey, RootCert = files.CaCert } };
        await using var node = await TestNode.StartAsync(own, TestNode.Settings(own));
        var transport = Transport(node.System);
        var (_, listening) = await transport.Listen();
        listening.SetResult(new Nothing());
        var association = await transport.Associate(new Address(transport.SchemeIdentifier, "other", "127.0.0.1", peer.Port));
        association.ReadHandlerSource.SetResult(new Nothing());

        long before = GC.GetTotalMemory(forceFullCollection: true), taken = 0;
        var refused = Stopwatch.StartNew();
        var payload = new byte[64 * 1024];
        // Whatever the system has room for is taken after a moment, so only a second of refusals is one.
        while (taken < 256 * mebibyte && refused.Elapsed < TimeSpan.FromSeconds(1))
        {
            if (association.Write(ByteString.CopyFrom(payload)))
            {
                taken += payload.Length;
                refused.Restart();
            }
            else await Task.Delay(5);
        }
        long waiting = GC.GetTotalMemory(forceFullCollection: true) - before;
        output.WriteLine($"{taken / mebibyte} MiB were taken, {waiting / mebibyte} MiB more are on the heap.");
        await transport.Shutdown();
        // 16 MiB may wait, and the kernel has a few for each socket. The heap is only told, as other tests use it as well.
        taken.ShouldBeInRange(16L * mebibyte, 64L * mebibyte);
    }

    static Transport Transport(ActorSystem system)
    {
        string path = AkkaTls.Wanted ? AkkaTls.ConfigPath : TlsTransport.ConfigPath;
        var config = ConfigurationFactory.ParseString("port = 0").WithFallback(system.Settings.Config.GetConfig(path));
        return (Transport)Activator.CreateInstance(Type.GetType(config.GetString("transport-class"), throwOnError: true)!, system, config)!;
    }

    sealed class Nothing : IAssociationEventListener, IHandleEventListener
    {
        public void Notify(IAssociationEvent ev)
        {
        }

        public void Notify(IHandleEvent ev)
        {
        }
    }
}

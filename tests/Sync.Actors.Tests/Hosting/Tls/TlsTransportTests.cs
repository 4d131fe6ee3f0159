using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Akka.Cluster;
using Sync.Actors.Hosting.Tls;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Testing;

namespace Sync.Actors.Tests.Hosting.Tls;

/// <summary>Two actor systems, or one and somebody who is none, over real sockets.</summary>
[Collection("TLS")]
[Trait("Speed", "Slow")]
public sealed class TlsTransportTests : IDisposable
{
    readonly Sandbox folder = new();
    readonly TestCertificates ours, theirs;

    public TlsTransportTests()
    {
        ours = TestCertificates.Create(folder.File("ours"));
        theirs = TestCertificates.Create(folder.File("theirs"));
    }

    public void Dispose() => folder.Dispose();

    static TlsOptions Files(TestCertificates from, TestCertificates trusted) => new() { Cert = from.NodeCert, Key = from.NodeKey, RootCert = trusted.CaCert };

    static ClusterOptions Options(TlsOptions? tls, string host = "127.0.0.1") => TestNode.Options(FreePorts.Free(), host) with { Tls = tls };

    [Fact]
    public async Task Nodes_of_one_root_should_form_a_cluster_and_pass_large_messages()
    {
        ClusterOptions[] options = [Options(Files(ours, ours)), Options(Files(ours, ours))];
        var settings = TestNode.Settings(options);
        var nodes = await TestNode.StartAllAsync([.. options.Select(o => (o, settings))]);
        nodes[0].System.ActorOf(Props.Create<Echo>(), "echo");
        var echo = nodes[1].System.ActorSelection(new RootActorPath(nodes[0].Cluster.SelfAddress) / "user" / "echo");
        foreach (int size in (int[])[1, 100, 60_000, 65_532, 65_536, 70_000, 1_100_000, 5_000_000])
        {
            string text = new('x', size);
            (await echo.Ask<string>(text, TimeSpan.FromSeconds(20))).ShouldBe(text);
        }
        nodes[0].Cluster.SelfAddress.Protocol.ShouldBe("akka.ssl.tcp");
        foreach (var node in nodes) await node.DisposeAsync();
    }

    /// <summary>So nodes can be moved to Akka.NET's own TLS, or back, one after the other.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_node_on_the_TLS_of_Akka_should_understand_one_on_ours(int onAkka)
    {
        ClusterOptions[] options = [Options(Files(ours, ours)), Options(Files(ours, ours))];
        var settings = TestNode.Settings(options);
        var nodes = new List<TestNode>();
        for (int i = 0; i < options.Length; i++)
        {
            int number = i;
            nodes.Add(await TestNode.StartAsync(options[i], settings, builder =>
            {
                if (number == onAkka) AkkaTls.Use(builder, options[number]);
            }));
        }
        foreach (var node in nodes) await node.UntilAsync(s => s.Members.Count(m => m.Status == MemberStatus.Up) == 2 && s.Unreachable.IsEmpty, 30);
        foreach (var (from, to) in new[] { (nodes[0], nodes[1]), (nodes[1], nodes[0]) })
        {
            to.System.ActorOf(Props.Create<Echo>(), "echo");
            var echo = from.System.ActorSelection(new RootActorPath(to.Cluster.SelfAddress) / "user" / "echo");
            foreach (int size in (int[])[1, 65_536, 5_000_000]) (await echo.Ask<string>(new string('x', size), TimeSpan.FromSeconds(20))).Length.ShouldBe(size);
        }
        foreach (var node in nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task Many_messages_should_arrive_in_order()
    {
        ClusterOptions[] options = [Options(Files(ours, ours)), Options(Files(ours, ours))];
        var settings = TestNode.Settings(options);
        var nodes = await TestNode.StartAllAsync([.. options.Select(o => (o, settings))]);
        var done = new TaskCompletionSource<bool>();
        nodes[0].System.ActorOf(Props.Create(() => new Counter(50_000, done)), "counter");
        var counter = await nodes[1].System.ActorSelection(new RootActorPath(nodes[0].Cluster.SelfAddress) / "user" / "counter").ResolveOne(TimeSpan.FromSeconds(10));
        for (int i = 0; i < 50_000; i++) counter.Tell(i);
        (await done.Task.WaitAsync(TimeSpan.FromSeconds(60))).ShouldBeTrue();
        foreach (var node in nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task A_node_with_a_strangers_certificate_should_be_kept_out()
    {
        var inside = Options(Files(ours, ours));
        await using var node = await TestNode.StartAsync(inside, TestNode.Settings(inside));
        await node.UntilAsync(s => s.Members.Count == 1, 20);
        // It believes us, so only our look at its certificate keeps it out.
        await using var stranger = await TestNode.StartAsync(Options(Files(theirs, ours)), TestNode.Settings(inside));
        await ShouldStayOutAsync(node, stranger);
    }

    [Fact]
    public async Task A_node_should_not_join_a_stranger()
    {
        var outside = Options(Files(theirs, ours));
        await using var stranger = await TestNode.StartAsync(outside, TestNode.Settings(outside));
        await using var node = await TestNode.StartAsync(Options(Files(ours, ours)), TestNode.Settings(outside));
        await ShouldStayOutAsync(stranger, node);
    }

    [Fact]
    public async Task A_node_that_talks_in_plain_should_be_kept_out()
    {
        var inside = Options(Files(ours, ours));
        await using var node = await TestNode.StartAsync(inside, TestNode.Settings(inside));
        await node.UntilAsync(s => s.Members.Count == 1, 20);
        await using var plain = await TestNode.StartAsync(Options(null), TestNode.Settings(inside));
        await ShouldStayOutAsync(node, plain);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("server")]
    [InlineData("theirs")]
    public async Task A_client_without_a_certificate_for_clients_should_be_refused(string? shows)
    {
        var inside = Options(Files(ours, ours));
        await using var node = await TestNode.StartAsync(inside, TestNode.Settings(inside));
        await node.UntilAsync(s => s.Members.Count == 1, 20);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, inside.Port);
        await using var stream = new SslStream(new NetworkStream(socket), false, (_, _, _, _) => true);
        using var certificate = shows switch
        {
            "server" => X509Certificate2.CreateFromPemFile(ours.ServerCert, ours.ServerKey),
            "theirs" => X509Certificate2.CreateFromPemFile(theirs.NodeCert, theirs.NodeKey),
            _ => null,
        };
        var options = new SslClientAuthenticationOptions { TargetHost = "127.0.0.1", ClientCertificates = certificate is null ? [] : [certificate] };
        // With TLS 1.3 a client learns of the refusal when it reads.
        var error = await Should.ThrowAsync<Exception>(async () =>
        {
            await stream.AuthenticateAsClientAsync(options).WaitAsync(TimeSpan.FromSeconds(10));
            if (await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(TimeSpan.FromSeconds(10)) == 0) throw new IOException("closed");
        });
        (error is IOException or AuthenticationException).ShouldBeTrue(error.ToString());
    }

    [Fact]
    public async Task A_node_that_answers_under_another_name_should_not_be_believed()
    {
        // The certificate is good for 127.0.0.1, not for 127.0.0.2.
        var outside = Options(Files(ours, ours), "127.0.0.2");
        await using var other = await TestNode.StartAsync(outside, TestNode.Settings(outside));
        await using var node = await TestNode.StartAsync(Options(Files(ours, ours)), TestNode.Settings(outside));
        await ShouldStayOutAsync(other, node);
    }

    [Theory]
    [InlineData("cert", "node.crt")]
    [InlineData("key", "node.key")]
    [InlineData("rootCert", "ca.crt")]
    public void A_missing_file_should_be_named(string setting, string file)
    {
        File.Delete(Path.Combine(folder.File("ours"), file));
        var error = Should.Throw<SyncException>(() => TlsIdentity.Load(Files(ours, ours)));
        error.Code.ShouldBe(ExitCode.Tls);
        error.Message.ShouldContain($"cluster.tls.{setting}");
    }

    [Fact]
    public void A_key_of_another_certificate_should_be_refused() =>
        Should.Throw<SyncException>(() => TlsIdentity.Load(Files(ours, ours) with { Key = theirs.NodeKey })).Message.ShouldContain("does not fit the key");

    // A join is tried every two seconds.
    static async Task ShouldStayOutAsync(TestNode inside, TestNode outside)
    {
        await Task.Delay(TimeSpan.FromSeconds(6));
        inside.Cluster.State.Members.Any(m => m.Address == outside.Cluster.SelfAddress).ShouldBeFalse();
        outside.Cluster.State.Members.Any(m => m.Status == MemberStatus.Up).ShouldBeFalse();
    }

    sealed class Echo : ReceiveActor
    {
        public Echo() => ReceiveAny(message => Sender.Tell(message));
    }

    sealed class Counter : ReceiveActor
    {
        int next;

        public Counter(int count, TaskCompletionSource<bool> done) => Receive<int>(number =>
        {
            if (number != next++) done.TrySetResult(false);
            if (next == count) done.TrySetResult(true);
        });
    }
}

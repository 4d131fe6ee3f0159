using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Akka.Cluster;
using Sync.Contracts.Configuration;
using Sync.Testing;

namespace Sync.Actors.Tests.Hosting.Tls;

/// <summary>Which certificates a node accepts, and what it says of those that it refuses.</summary>
[Collection("TLS")]
[Trait("Speed", "Slow")]
public sealed class TlsCertificateTests : IDisposable
{
    static readonly string[] both = [TestAuthority.ServerUsage, TestAuthority.ClientUsage];

    readonly Sandbox folder = new();
    readonly TestAuthority root = TestAuthority.Root();
    readonly TestAuthority otherRoot = TestAuthority.Root();

    public TlsCertificateTests()
    {
        File.WriteAllText(folder.File("root.crt"), root.Pem);
        Issue(root, "node");
    }

    public void Dispose()
    {
        folder.Dispose();
        root.Dispose();
        otherRoot.Dispose();
    }

    TlsOptions Files(string name) => new() { Cert = folder.File($"{name}.crt"), Key = folder.File($"{name}.key"), RootCert = folder.File("root.crt") };

    static ClusterOptions Options(TlsOptions tls) => TestNode.Options(FreePorts.Free()) with { Tls = tls };

    void Issue(TestAuthority authority, string name, string[]? usages = null, string host = "127.0.0.1", string behind = "", DateTimeOffset? until = null)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(host));
        authority.Issue($"CN={name}", usages ?? both, names, folder.File($"{name}.crt"), folder.File($"{name}.key"), behind, until);
    }

    /// <summary>One of the faults that a certificate may have.</summary>
    void IssueWith(string fault)
    {
        switch (fault)
        {
            case "another root": Issue(otherRoot, fault); break;
            case "expired": Issue(root, fault, until: DateTimeOffset.UtcNow.AddDays(-1)); break;
            case "no usage as client": Issue(root, fault, [TestAuthority.ServerUsage]); break;
            case "no usage as server": Issue(root, fault, [TestAuthority.ClientUsage]); break;
            case "another name": Issue(root, fault, host: "127.0.0.9"); break;
            default: throw new ArgumentException(fault);
        }
    }

    [Fact]
    public async Task Nodes_whose_certificates_come_from_different_intermediate_authorities_should_need_no_more_than_the_root()
    {
        using var first = root.Intermediate();
        using var second = root.Intermediate();
        Issue(first, "a", behind: first.Pem);
        Issue(second, "b", behind: second.Pem);
        ClusterOptions[] options = [Options(Files("a")), Options(Files("b"))];
        var settings = TestNode.Settings(options);
        var nodes = await TestNode.StartAllAsync([.. options.Select(o => (o, settings))]);
        foreach (var node in nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task An_authority_that_is_not_in_the_cert_file_should_be_named()
    {
        using var intermediate = root.Intermediate();
        Issue(intermediate, "alone");
        await ShouldRefuseWhomItCallsAsync("alone", intermediate.Subject, "root.crt (cluster.tls.rootCert)", "cert file");
    }

    [Theory]
    [InlineData("another root", "root.crt (cluster.tls.rootCert)")]
    [InlineData("expired", "it has expired on ")]
    [InlineData("no usage as server", "it may not be used as server (serverAuth)")]
    [InlineData("another name", "it is not good for 127.0.0.1 but for 127.0.0.9")]
    public async Task A_node_that_is_called_should_be_refused_for(string fault, string message)
    {
        IssueWith(fault);
        await ShouldRefuseWhomItCallsAsync(fault, message);
    }

    async Task ShouldRefuseWhomItCallsAsync(string shown, params string[] messages)
    {
        using var peer = new TlsPeer(folder.File($"{shown}.crt"), folder.File($"{shown}.key"));
        var own = Options(Files("node"));
        var log = new LogWatch();
        // A node that is the first seed asks the other one, which this peer stands for.
        await using var node = await TestNode.StartAsync(own, TestNode.Settings(own, own with { Port = peer.Port }), log.Watch);
        string place = $"127.0.0.1:{peer.Port}";
        await log.UntilAsync(l => l.Contains(place) && l.Contains($"CN={shown}") && messages.All(l.Contains));
    }

    [Theory]
    [InlineData("another root")]
    [InlineData(null)]
    public async Task What_answers_in_the_place_of_a_node_that_died_should_not_end_the_others(string? shown)
    {
        if (shown is not null) IssueWith(shown);
        // Of two nodes the one with the lower address goes on.
        ClusterOptions[] options = [.. new[] { Options(Files("node")), Options(Files("node")) }.OrderBy(o => o.Port)];
        var settings = TestNode.Settings(options);
        await using var stays = await TestNode.StartAsync(options[0], settings);
        await using var dies = await TestNode.StartAsync(options[1], settings);
        await stays.UntilAsync(s => s.Members.Count(m => m.Status == MemberStatus.Up) == 2, 30);
        dies.Kill();
        await dies.System.WhenTerminated;
        using var other = new TlsPeer(shown is null ? null : folder.File($"{shown}.crt"), shown is null ? null : folder.File($"{shown}.key"), options[1].Port);
        await other.Called.WaitAsync(TimeSpan.FromSeconds(20));
        // Only a node that goes on downs the one that died.
        await Task.WhenAny(stays.UntilAsync(s => s.Members.Count == 1, 30), stays.Ended);
        CoordinatedShutdown.Get(stays.System).ShutdownReason.ShouldBeNull();
        stays.Cluster.State.Members.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("another root", "root.crt (cluster.tls.rootCert)")]
    [InlineData("expired", "it has expired on ")]
    [InlineData("no usage as client", "it may not be used as client (clientAuth)")]
    [InlineData(null, "it shows no certificate")]
    public async Task A_caller_should_be_refused_for(string? fault, string message)
    {
        if (fault is not null) IssueWith(fault);
        var own = Options(Files("node"));
        var log = new LogWatch();
        await using var node = await TestNode.StartAsync(own, TestNode.Settings(own), log.Watch);
        await node.UntilAsync(s => s.Members.Count == 1, 20);
        using var certificate = fault is null ? null : X509Certificate2.CreateFromPemFile(folder.File($"{fault}.crt"), folder.File($"{fault}.key"));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, own.Port);
        await using var stream = new SslStream(new NetworkStream(socket), false, (_, _, _, _) => true);
        var context = certificate is null ? null : SslStreamCertificateContext.Create(certificate, null, offline: true);
        await Should.ThrowAsync<Exception>(async () =>
        {
            var options = new SslClientAuthenticationOptions { TargetHost = "127.0.0.1", ClientCertificateContext = context };
            await stream.AuthenticateAsClientAsync(options).WaitAsync(TimeSpan.FromSeconds(10));
            if (await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(TimeSpan.FromSeconds(10)) == 0) throw new IOException("closed");
        });
        string port = $":{((IPEndPoint)socket.LocalEndPoint!).Port}";
        await log.UntilAsync(l => l.Contains(port) && l.Contains(message) && l.Contains(fault is null ? "" : $"CN={fault}"));
    }
}

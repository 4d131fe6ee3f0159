using System.Text;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Tests.Support;
using Sync.Testing;

namespace Sync.Redis.Tests.Connections;

public abstract class RedisTlsContract : IDisposable
{
    readonly Sandbox sandbox = new();
    readonly TestCertificates certificates;
    readonly RedisClient client;

    protected RedisTlsContract(RedisClient client)
    {
        this.client = client;
        certificates = TestCertificates.Create(sandbox.File("good"));
    }

    public void Dispose() => sandbox.Dispose();

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1")]
    public async Task Tls_should_trust_the_given_root_and_carry_data(string host)
    {
        using var server = await RedisServer.StartAsync(certificates);
        await using var connection = await ConnectAsync(server, new TlsOptions { RootCert = certificates.CaCert }, host);
        string value = new('v', 3 * 1024 * 1024);
        await connection.ExecuteAsync(default, "SET", "large", value);
        (await connection.ExecuteAsync(default, "GET", "large")).AsString().ShouldBe(value);
        (await server.ExecAsync("STRLEN", "large")).ShouldBe((long)value.Length);
    }

    [Fact]
    public async Task Tls_should_show_the_client_certificate_where_the_server_asks_for_one()
    {
        using var server = await RedisServer.StartAsync(certificates, "--tls-auth-clients", "yes");
        var tls = new TlsOptions { RootCert = certificates.CaCert, Cert = certificates.ClientCert, Key = certificates.ClientKey };
        await using var connection = await ConnectAsync(server, tls);
        (await connection.ExecuteAsync(default, "PING")).AsString().ShouldBe("PONG");
    }

    [Fact]
    public async Task Tls_should_say_that_the_server_asks_for_a_certificate()
    {
        using var server = await RedisServer.StartAsync(certificates, "--tls-auth-clients", "yes");
        // Redis answers the handshake with an alert and hangs up; whoever has written meanwhile may read that the connection is lost, and tries again.
        var error = await Should.ThrowAsync<Exception>(async () => await ConnectAsync(server, new TlsOptions { RootCert = certificates.CaCert }));
        for (int tries = 1; error is RedisTransientException && tries < 10; tries++)
            error = await Should.ThrowAsync<Exception>(async () => await ConnectAsync(server, new TlsOptions { RootCert = certificates.CaCert }));
        error.ShouldBeOfType<SyncException>().Code.ShouldBe(ExitCode.Tls);
        error.Message.ShouldContain("redis.conn.tls.cert");
    }

    [Fact]
    public async Task Tls_should_refuse_a_server_of_another_authority()
    {
        using var server = await RedisServer.StartAsync(certificates);
        var other = TestCertificates.Create(sandbox.File("other"));
        foreach (string? root in new[] { other.CaCert, null })
        {
            var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(server, new TlsOptions { RootCert = root }));
            error.Code.ShouldBe(ExitCode.Tls);
            error.Message.ShouldContain("redis.conn.tls");
        }
    }

    [Fact]
    public async Task Tls_should_refuse_a_certificate_of_another_host()
    {
        var elsewhere = TestCertificates.Create(sandbox.File("elsewhere"), serverName: "redis.example.com");
        using var server = await RedisServer.StartAsync(elsewhere);
        var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(server, new TlsOptions { RootCert = elsewhere.CaCert }));
        error.Code.ShouldBe(ExitCode.Tls);
        error.Message.ShouldContain("RemoteCertificateNameMismatch");
    }

    [Fact]
    public async Task Tls_should_not_talk_to_a_plain_port()
    {
        using var server = await RedisServer.StartAsync();
        var options = RedisFixture.Options(server, client) with { Tls = new TlsOptions() };
        // Redis takes the greeting for the begin of a line and waits for its end.
        var error = await Should.ThrowAsync<RedisTransientException>(
            async () => await RespConnection.ConnectAsync(options, TimeSpan.FromMilliseconds(500), TimeProvider.System, default));
        error.Message.ShouldContain("does that port speak TLS?");
    }

    [Theory]
    [InlineData("rootCert")]
    [InlineData("cert")]
    [InlineData("key")]
    public async Task Tls_should_name_a_file_that_is_missing_or_no_PEM(string which)
    {
        string missing = sandbox.File("missing.pem");
        var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(null, With(which, missing)));
        error.Code.ShouldBe(ExitCode.Tls);
        error.Message.ShouldContain($"'{missing}' (redis.conn.tls.{which}) does not exist");

        string garbage = sandbox.File("garbage.pem");
        await File.WriteAllTextAsync(garbage, "this is no certificate", Encoding.UTF8);
        error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(null, With(which, garbage)));
        error.Code.ShouldBe(ExitCode.Tls);
        error.Message.ShouldContain(garbage);
    }

    [Fact]
    public async Task Tls_should_want_a_certificate_with_the_key()
    {
        var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(null, new TlsOptions { Key = certificates.ClientKey }));
        error.Code.ShouldBe(ExitCode.Tls);
        error.Message.ShouldContain("redis.conn.tls.cert");
    }

    TlsOptions With(string which, string file) => new()
    {
        RootCert = which == "rootCert" ? file : certificates.CaCert,
        Cert = which == "cert" ? file : certificates.ClientCert,
        Key = which == "key" ? file : certificates.ClientKey,
    };

    ValueTask<RespConnection> ConnectAsync(RedisServer? server, TlsOptions tls, string host = "localhost") => RespConnection.ConnectAsync(
        new RedisConnectionOptions { Host = host, Port = server?.TlsPort ?? 1, Tls = tls, Client = client }, RedisFixture.Timeout, TimeProvider.System, default);
}

public sealed class RedisTlsTests() : RedisTlsContract(RedisClient.Resp);

public sealed class RedisTlsOnStackExchangeTests() : RedisTlsContract(RedisClient.StackExchange);

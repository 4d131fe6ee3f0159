using System.Net;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Testing;

namespace Sync.Postgres.Tests.Connections;

[Trait("Speed", "Slow")]
public sealed class TlsTests : IDisposable
{
    readonly Sandbox sandbox = new();
    readonly Certificates certificates;

    public TlsTests() => certificates = new Certificates(sandbox);

    public void Dispose() => sandbox.Dispose();

    static PostgresConnectionOptions To(PostgresServer server, TlsOptions? tls) => new() { Hosts = [new(server.Host, server.Port)], Tls = tls };

    static async Task<string?> CipherAsync(PostgresConnectionOptions options)
    {
        await using var primary = await new PostgresConnector(options).FindPrimaryAsync();
        await using (await primary.OpenReplicationAsync())
        {
        }
        await using (await primary.OpenWireAsync(CancellationToken.None))
        {
        }
        await using var command = primary.DataSource.CreateCommand("select version from pg_stat_ssl where pid = pg_backend_pid()");
        return await command.ExecuteScalarAsync() as string;
    }

    static async Task<SyncException> FailAsync(PostgresConnectionOptions options)
    {
        var error = await Should.ThrowAsync<SyncException>(() => CipherAsync(options));
        error.Code.ShouldBe(ExitCode.Tls);
        return error;
    }

    [Fact]
    public async Task Tls_should_verify_the_server_against_the_root()
    {
        string root = certificates.Authority("root"), stranger = certificates.Authority("stranger");
        var (cert, key) = certificates.Issue("root", "postgres", IPAddress.Loopback);
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Tls = (cert, key, root),
            Hba = ["hostssl all all 127.0.0.1/32 cert", "host all all 127.0.0.1/32 reject"],
        });

        (await CipherAsync(To(server, new TlsOptions { RootCert = root, Cert = cert, Key = key }))).ShouldNotBeNull().ShouldStartWith("TLS");
        (await FailAsync(To(server, new TlsOptions { RootCert = stranger, Cert = cert, Key = key }))).Message.ShouldContain($"127.0.0.1:{server.Port}");
        await FailAsync(To(server, new TlsOptions { Cert = cert, Key = key }));
    }

    [Fact]
    public async Task Tls_should_refuse_a_certificate_for_another_host()
    {
        string root = certificates.Authority("root");
        var (cert, key) = certificates.Issue("root", "postgres", IPAddress.Parse("192.0.2.1"));
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Tls = (cert, key, null) });
        await FailAsync(To(server, new TlsOptions { RootCert = root }));
        (await CipherAsync(To(server, null))).ShouldNotBeNull().ShouldStartWith("TLS");
    }

    [Fact]
    public async Task Tls_should_refuse_a_server_without_it()
    {
        await using var server = await PostgresServer.StartAsync();
        await FailAsync(To(server, new TlsOptions()));
        (await CipherAsync(To(server, null))).ShouldBeNull();
    }

    [Fact]
    public async Task Unix_socket_should_be_usable_and_speak_no_TLS()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Password = "s3cret" });
        (await CipherAsync(new PostgresConnectionOptions { Hosts = [new(server.SocketFolder, server.Port)], Tls = new TlsOptions() })).ShouldBeNull();
    }

    [Fact]
    public void Tls_files_that_are_missing_or_wrong_should_be_named()
    {
        string root = certificates.Authority("root");
        var (cert, key) = certificates.Issue("root", "client", IPAddress.Loopback);
        certificates.Issue("root", "other", IPAddress.Loopback);
        string junk = sandbox.File("junk.pem");
        File.WriteAllText(junk, "not a certificate");
        string absent = sandbox.File("absent.pem");

        Message(new TlsOptions { RootCert = absent }).ShouldBe($"The file {absent} of postgres.conn.tls.rootCert does not exist.");
        Message(new TlsOptions { Cert = absent, Key = key }).ShouldBe($"The file {absent} of postgres.conn.tls.cert does not exist.");
        Message(new TlsOptions { Cert = cert, Key = absent }).ShouldBe($"The file {absent} of postgres.conn.tls.key does not exist.");
        Message(new TlsOptions { Cert = cert }).ShouldContain("names a cert but no key");
        Message(new TlsOptions { RootCert = junk }).ShouldContain($"{junk} of postgres.conn.tls.rootCert is not usable as PEM");
        Message(new TlsOptions { Cert = cert, Key = sandbox.File("other.key") }).ShouldContain("does not fit the key");
        Should.NotThrow(() => new PostgresConnector(new PostgresConnectionOptions { Tls = new TlsOptions { RootCert = root, Cert = cert, Key = key } }));

        static string Message(TlsOptions tls)
        {
            var error = Should.Throw<SyncException>(() => new PostgresConnector(new PostgresConnectionOptions { Tls = tls }));
            error.Code.ShouldBe(ExitCode.Tls);
            return error.Message;
        }
    }
}

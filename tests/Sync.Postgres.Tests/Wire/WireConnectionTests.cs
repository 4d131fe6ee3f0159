using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Postgres.Tests.Connections;
using Sync.Postgres.Wire;
using Sync.Testing;

namespace Sync.Postgres.Tests.Wire;

/// <summary>The stream's own connection logs in wherever the driver's does.</summary>
[Trait("Speed", "Slow")]
public sealed class WireConnectionTests : IDisposable
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);
    static readonly HostPort somewhere = new("db1", 5432);

    readonly Sandbox sandbox = new();

    public void Dispose() => sandbox.Dispose();

    static async Task<WireConnection> OpenAsync(PostgresServer server, string user, string? password, TlsOptions? tls = null)
    {
        using var limit = new CancellationTokenSource(patience);
        return await WireConnection.OpenAsync(new HostPort(server.Host, server.Port), Options(user, password, tls), SessionSettings.Options(15), limit.Token);
    }

    static PostgresConnectionOptions Options(string user, string? password, TlsOptions? tls) =>
        new() { User = user, Tls = tls, Password = password is null ? default : new Secret(password) };

    /// <summary>Whether the server sees the connection as encrypted.</summary>
    static async Task<bool> IsEncryptedAsync(PostgresServer server, WireConnection connection) =>
        await server.ScalarAsync<bool>($"select ssl from pg_stat_ssl where pid = {connection.ProcessId}");

    [Fact]
    public async Task Passwords_should_be_given_in_each_way_that_a_server_asks_for_them()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Password = "s3cret",
            Hba = ["host all old 127.0.0.1/32 md5", "host all bare 127.0.0.1/32 password", "host all kerberos 127.0.0.1/32 gss"],
        });
        await server.ExecuteAsync("""
            set password_encryption = 'md5'; create role old login replication password 'pässword'; reset password_encryption;
            create role bare login replication password 'plain'; create role modern login replication password 'pencil ✓'; create role kerberos login replication
            """);
        foreach (var (user, password) in new[] { ("old", "pässword"), ("bare", "plain"), ("modern", "pencil ✓") })
        {
            await using (var connection = await OpenAsync(server, user, password)) connection.Major.ShouldBeGreaterThanOrEqualTo(13);
            var refusal = await Should.ThrowAsync<PostgresException>(() => OpenAsync(server, user, "wrong"));
            PostgresErrors.ToSyncException(refusal, somewhere, new()).Code.ShouldBe(ExitCode.PostgresAuthentication);
        }
        var missing = PostgresErrors.ToSyncException(await Should.ThrowAsync<NpgsqlException>(() => OpenAsync(server, "modern", null)), somewhere, new());
        (missing.Code, missing.Message).ShouldBe((ExitCode.PostgresAuthentication, $"PostgreSQL at {somewhere} wants a password of user postgres: set postgres.conn.password."));
        (await Should.ThrowAsync<SyncException>(() => OpenAsync(server, "kerberos", "x"))).Message.ShouldContain("log in by GSSAPI, which ActorSync doesn't speak");
    }

    [Fact]
    public async Task Encryption_should_be_taken_where_it_is_offered_and_verified_where_it_is_asked_for()
    {
        var certificates = new Certificates(sandbox);
        string root = certificates.Authority("root"), stranger = certificates.Authority("stranger");
        var (cert, key) = certificates.Issue("root", "postgres", IPAddress.Loopback);
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Tls = (cert, key, root),
            Password = "s3cret",
            Hba = ["hostssl all postgres 127.0.0.1/32 cert", "hostssl all scram 127.0.0.1/32 scram-sha-256", "hostnossl all plain 127.0.0.1/32 trust", "hostssl all plain 127.0.0.1/32 reject"],
        });
        await server.ExecuteAsync("create role scram login replication password 'pencil'; create role plain login replication");

        await using (var byCertificate = await OpenAsync(server, "postgres", null, new TlsOptions { RootCert = root, Cert = cert, Key = key }))
            (await IsEncryptedAsync(server, byCertificate)).ShouldBeTrue();
        await using (var verified = await OpenAsync(server, "scram", "pencil", new TlsOptions { RootCert = root })) (await IsEncryptedAsync(server, verified)).ShouldBeTrue();
        await using (var unverified = await OpenAsync(server, "scram", "pencil")) (await IsEncryptedAsync(server, unverified)).ShouldBeTrue();
        await using (var plain = await OpenAsync(server, "plain", null)) (await IsEncryptedAsync(server, plain)).ShouldBeFalse();

        foreach (var tls in new[] { new TlsOptions { RootCert = stranger }, new TlsOptions() })
        {
            var error = await Should.ThrowAsync<Exception>(() => OpenAsync(server, "scram", "pencil", tls));
            PostgresErrors.ToSyncException(error, somewhere, new()).Code.ShouldBe(ExitCode.Tls);
        }
        (await Should.ThrowAsync<PostgresException>(() => OpenAsync(server, "plain", null, new TlsOptions { RootCert = root }))).SqlState.ShouldBe("28000");
    }

    [Fact]
    public async Task A_server_without_encryption_should_be_refused_where_it_is_asked_for()
    {
        await using var server = await PostgresServer.StartAsync();
        var error = await Should.ThrowAsync<Exception>(() => OpenAsync(server, "postgres", null, new TlsOptions()));
        PostgresErrors.ToSyncException(error, somewhere, new()).Code.ShouldBe(ExitCode.Tls);
    }

    [Fact]
    public void A_login_over_TLS_should_be_bound_to_the_server_s_certificate()
    {
        var certificates = new Certificates(sandbox);
        certificates.Authority("root");
        var (cert, _) = certificates.Issue("root", "server", IPAddress.Loopback);
        using var certificate = X509CertificateLoader.LoadCertificateFromFile(cert);
        byte[] question = [0, 0, 0, 10, .. "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"u8];
        Encoding.UTF8.GetString(new WireLogin(somewhere, Options("u", "p", null), certificate).Answer(question)!).ShouldContain("SCRAM-SHA-256-PLUS\0");
        Encoding.UTF8.GetString(new WireLogin(somewhere, Options("u", "p", null), null).Answer(question)!).ShouldContain("SCRAM-SHA-256\0");
    }

    [Fact]
    public void A_server_that_lets_us_in_before_it_proved_itself_should_be_refused()
    {
        var login = new WireLogin(somewhere, Options("u", "p", null), null);
        login.Answer([0, 0, 0, 10, .. "SCRAM-SHA-256\0\0"u8]).ShouldNotBeNull();
        Should.Throw<SyncException>(() => login.Answer([0, 0, 0, 0])).Code.ShouldBe(ExitCode.PostgresAuthentication);
    }

    [Fact]
    public async Task Session_settings_should_be_those_of_all_connections()
    {
        await using var server = await PostgresServer.StartAsync();
        await server.ExecuteAsync("create role german superuser login replication; alter role german set datestyle = 'German'; alter role german set timezone = 'Asia/Kolkata'");
        await using var connection = await OpenAsync(server, "german", null);
        (await ShowAsync(connection, "datestyle")).ShouldStartWith("ISO, ");
        (await ShowAsync(connection, "timezone")).ShouldBe("UTC");
        (await ShowAsync(connection, "client_encoding")).ShouldBe("UTF8");
        (await ShowAsync(connection, "application_name")).ShouldBe("actorsync");
    }

    static async Task<string> ShowAsync(WireConnection connection, string setting)
    {
        string value = "";
        await connection.QueryAsync($"SHOW {setting}", CancellationToken.None);
        while (true)
        {
            byte type;
            ReadOnlyMemory<byte> body;
            while (!connection.Buffer.TryTake(out type, out body)) connection.Buffer.Filled(await connection.Buffer.FillAsync().AsTask().WaitAsync(patience));
            // One column: its count in two bytes, its length in four, its text.
            if (type == (byte)'D') value = Encoding.UTF8.GetString(body.Span[6..]);
            if (type == ServerMessageType.ReadyForQuery) return value;
        }
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n")]
    [InlineData("N")]
    [InlineData("NR\0\0\0\0")]
    [InlineData("")]
    public async Task Something_that_is_no_PostgreSQL_should_be_told_from_one(string answer)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync();
            await client.GetStream().ReadExactlyAsync(new byte[8]);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(answer));
            client.Client.Shutdown(SocketShutdown.Send);
            await Task.Delay(200);
        });
        var address = new HostPort("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        var options = Options("u", "p", null);
        await using var primary = new PostgresPrimary(address, options, NpgsqlDataSource.Create($"Host=127.0.0.1;Port={address.Port}"), NpgsqlDataSource.Create("Host=127.0.0.1"), "", new OwnSessions(), 15, holdsBytes: false);
        (await Should.ThrowAsync<SyncException>(() => primary.OpenWireAsync(CancellationToken.None).WaitAsync(patience))).Code.ShouldBe(ExitCode.PostgresUnreachable);
        await serving;
    }
}

using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Retry;
using Sync.Postgres.Connections;
using Sync.Testing;

namespace Sync.Postgres.Tests.Connections;

[Collection(PostgresCollection.Name)]
[Trait("Speed", "Slow")]
public class PostgresConnectorTests(PostgresFixture fixture)
{
    static PostgresConnectionOptions To(params PostgresServer[] servers) => new()
    {
        Hosts = [.. servers.Select(s => new HostPort(s.Host, s.Port))],
    };

    static async Task<SyncException> FailAsync(PostgresConnectionOptions options) =>
        await Should.ThrowAsync<SyncException>(async () => await (await new PostgresConnector(options).FindPrimaryAsync()).DisposeAsync());

    [Fact]
    public async Task Connector_should_find_the_primary_behind_a_standby()
    {
        await using var standby = await PostgresServer.StartStandbyAsync(fixture.Server);
        await using var primary = await new PostgresConnector(To(standby, fixture.Server)).FindPrimaryAsync();
        primary.Address.Port.ShouldBe(fixture.Server.Port);

        var error = await FailAsync(To(standby));
        error.Code.ShouldBe(ExitCode.PostgresUnreachable);
        error.Message.ShouldContain($"Only standbys were found at 127.0.0.1:{standby.Port}");
    }

    [Fact]
    public async Task Connector_should_name_every_host_that_does_not_answer()
    {
        int first = Ports.Free(), second = Ports.Free();
        var error = await FailAsync(new PostgresConnectionOptions { Hosts = [new("127.0.0.1", first), new("no-such-host.invalid", second)] });
        error.Code.ShouldBe(ExitCode.PostgresUnreachable);
        error.Message.ShouldContain($"127.0.0.1:{first} (connection refused)");
        error.Message.ShouldContain($"no-such-host.invalid:{second} (the host name ");
        PostgresErrors.Classify(error).ShouldBe(FailureClass.Transient);
    }

    [Fact]
    public async Task Connector_should_name_a_database_that_is_missing()
    {
        var error = await FailAsync(To(fixture.Server) with { Database = "nowhere" });
        error.Code.ShouldBe(ExitCode.Configuration);
        error.Message.ShouldBe($"Database nowhere does not exist on 127.0.0.1:{fixture.Server.Port}: create it or correct postgres.conn.database.");
        PostgresErrors.Classify(error).ShouldBe(FailureClass.Fatal);
    }

    [Fact]
    public async Task Connector_should_name_user_and_host_of_a_wrong_password()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Password = "s3cret",
            Hba = ["host all barred 127.0.0.1/32 reject"],
        });
        await server.ExecuteAsync("create role barred login");
        await using (await new PostgresConnector(To(server) with { Password = new Secret("s3cret") }).FindPrimaryAsync())
        {
        }

        var wrong = await FailAsync(To(server) with { Password = new Secret("other") });
        wrong.Code.ShouldBe(ExitCode.PostgresAuthentication);
        wrong.Message.ShouldBe($"PostgreSQL at 127.0.0.1:{server.Port} refuses the password of user postgres: correct postgres.conn.password.");

        var none = await FailAsync(To(server));
        none.Code.ShouldBe(ExitCode.PostgresAuthentication);
        none.Message.ShouldContain("postgres.conn.password");

        var barred = await FailAsync(To(server) with { User = "barred", Password = new Secret("other") });
        barred.Code.ShouldBe(ExitCode.PostgresAuthentication);
        barred.Message.ShouldContain("user barred");
        barred.Message.ShouldNotContain("other");
    }

    [Fact]
    public async Task Connections_of_both_kinds_should_render_values_alike_whatever_the_role_prefers()
    {
        await fixture.Server.ExecuteAsync("""
            create role german superuser login;
            alter role german set datestyle = 'German'; alter role german set timezone = 'Europe/Berlin'; alter role german set bytea_output = 'escape';
            alter role german set intervalstyle = 'sql_standard'; alter role german set extra_float_digits = -5; alter role german set statement_timeout = '1ms'
            """);
        await using var primary = await new PostgresConnector(To(fixture.Server) with { User = "german" }).FindPrimaryAsync();
        (string Name, string Value)[] expected =
        [
            ("datestyle", "ISO, "), ("intervalstyle", "postgres"), ("extra_float_digits", "1"), ("timezone", "UTC"), ("bytea_output", "hex"),
            ("client_encoding", "UTF8"), ("application_name", "actorsync"), ("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0"),
        ];
        await using var replication = await primary.OpenReplicationAsync();
        await using var ordinary = await primary.OpenAsync();
        foreach (var (name, value) in expected)
        {
            (await replication.Show(name)).ShouldStartWith(value);
            await using var command = ordinary.CreateCommand();
            command.CommandText = $"show {name}";
            ((string)(await command.ExecuteScalarAsync())!).ShouldStartWith(value);
        }
    }

    [Fact]
    public async Task Replication_should_ask_for_the_attribute_that_a_role_lacks()
    {
        await fixture.Server.ExecuteAsync("create role plain login");
        await using var primary = await new PostgresConnector(To(fixture.Server) with { User = "plain" }).FindPrimaryAsync();
        foreach (var open in (Func<Task>[])[() => primary.OpenReplicationAsync(), () => primary.OpenWireAsync(CancellationToken.None)])
        {
            var error = await Should.ThrowAsync<SyncException>(open);
            error.Code.ShouldBe(ExitCode.Schema);
            error.Message.ShouldContain("ALTER ROLE \"plain\" REPLICATION");
        }
    }

    [Fact]
    public async Task Lost_connection_should_be_transient()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var primary = await new PostgresConnector(To(server)).FindPrimaryAsync();
        await server.StopAsync(StopMode.Immediate);
        var error = await Should.ThrowAsync<SyncException>(() => primary.ReadFactsAsync());
        error.Code.ShouldBe(ExitCode.PostgresUnreachable);
        PostgresErrors.Classify(error.InnerException!).ShouldBe(FailureClass.Transient);
    }
}

using Npgsql;
using Sync.Testing;

namespace Sync.Postgres.Tests.Connections;

[Trait("Speed", "Slow")]
public class PostgresServerTests
{
    [Fact]
    public async Task Server_should_keep_its_data_and_port_over_a_crash()
    {
        await using var server = await PostgresServer.StartAsync();
        await server.ExecuteAsync("create table t (id int); insert into t values (7)");
        int port = server.Port;
        await server.RestartAsync(StopMode.Immediate);
        server.Port.ShouldBe(port);
        (await server.ScalarAsync<int>("select id from t")).ShouldBe(7);
        (await server.ScalarAsync<string>("show wal_level")).ShouldBe("logical");
    }

    [Fact]
    public async Task Standby_should_follow_until_it_is_promoted()
    {
        await using var primary = await PostgresServer.StartAsync();
        await using var standby = await PostgresServer.StartStandbyAsync(primary);
        (await standby.ScalarAsync<bool>("select pg_is_in_recovery()")).ShouldBeTrue();
        await standby.PromoteAsync();
        (await standby.ScalarAsync<bool>("select pg_is_in_recovery()")).ShouldBeFalse();
    }

    [Fact]
    public async Task Server_with_a_password_should_refuse_another_one_over_TCP()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Password = "right" });
        await using (var good = new NpgsqlConnection(server.ConnectionString())) await good.OpenAsync();
        await using var bad = new NpgsqlConnection(server.ConnectionString(password: "wrong"));
        (await Should.ThrowAsync<PostgresException>(bad.OpenAsync())).SqlState.ShouldBe("28P01");
    }
}

using System.Net.Sockets;
using System.Security.Authentication;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Retry;
using Sync.Postgres.Connections;
using Sync.Testing;

namespace Sync.Postgres.Tests.Connections;

[Collection(PostgresCollection.Name)]
public class PostgresErrorsTests(PostgresFixture fixture)
{
    static readonly HostPort address = new("db", 5432);

    static PostgresException Error(string sqlState) => new("something", "ERROR", "ERROR", sqlState);

    [Theory]
    [InlineData("08006", FailureClass.Transient)] // connection_failure
    [InlineData("57P01", FailureClass.Transient)] // admin_shutdown
    [InlineData("57P03", FailureClass.Transient)] // cannot_connect_now
    [InlineData("57P04", FailureClass.Fatal)] // database_dropped
    [InlineData("53300", FailureClass.Transient)] // too_many_connections
    [InlineData("53400", FailureClass.Fatal)] // configuration_limit_exceeded
    [InlineData("55006", FailureClass.Transient)] // object_in_use
    [InlineData("55000", FailureClass.Fatal)] // object_not_in_prerequisite_state
    [InlineData("25006", FailureClass.Transient)] // read_only_sql_transaction
    [InlineData("40001", FailureClass.Transient)] // serialization_failure
    [InlineData("28P01", FailureClass.Fatal)] // invalid_password
    [InlineData("42501", FailureClass.Fatal)] // insufficient_privilege
    [InlineData("58P01", FailureClass.Fatal)] // undefined_file
    [InlineData("22021", FailureClass.Fatal)] // character_not_in_repertoire
    [InlineData("22P05", FailureClass.Fatal)] // untranslatable_character
    [InlineData("XX000", FailureClass.Transient)] // internal_error
    [InlineData("XX001", FailureClass.Fatal)] // data_corrupted
    public void Sql_states_should_be_judged(string sqlState, FailureClass expected)
    {
        var error = Error(sqlState);
        PostgresErrors.Classify(error).ShouldBe(expected);
        PostgresErrors.Classify(PostgresErrors.ToSyncException(error, address, new PostgresConnectionOptions())).ShouldBe(expected);
    }

    [Fact]
    public void Lost_connections_should_be_transient_and_failed_TLS_fatal()
    {
        PostgresErrors.Classify(new NpgsqlException("Exception while reading", new IOException("reset"))).ShouldBe(FailureClass.Transient);
        PostgresErrors.Classify(new NpgsqlException("Exception while performing SSL handshake", new IOException("reset"))).ShouldBe(FailureClass.Transient);
        PostgresErrors.Classify(new NpgsqlException("Exception while performing SSL"
            + " handshake", new AuthenticationException("bad"))).ShouldBe(FailureClass.Fatal);
        PostgresErrors.Classify(new SocketException((int)SocketError.ConnectionReset)).ShouldBe(FailureClass.Transient);
        PostgresErrors.Classify(new TimeoutException()).ShouldBe(FailureClass.Transient);
        PostgresErrors.Classify(new InvalidOperationException("a defect")).ShouldBe(FailureClass.Fatal);
    }

    [Fact]
    public async Task Slot_functions_should_ask_for_the_attribute_that_a_role_lacks()
    {
        string user = $"plain_{Guid.NewGuid():N}";
        await fixture.Server.ExecuteAsync($"create role {user} login");
        await using var database = await Database.CreateAsync(fixture.Server, user: user);
        await using var command = database.Source.CreateCommand("select pg_create_logical_replication_slot('s', 'pgoutput')");
        var error = database.Primary.Describe(await Should.ThrowAsync<PostgresException>(() => command.ExecuteScalarAsync()));
        error.Code.ShouldBe(ExitCode.Schema);
        error.Message.ShouldContain($"run ALTER ROLE \"{user}\" REPLICATION.");
    }

    [Fact]
    public async Task Missing_slot_should_be_told()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table t (id int primary key)");
        (await StreamAsync(database, $"s_{Guid.NewGuid():N}")).Code.ShouldBe(ExitCode.Slot);
    }

    // PostgreSQL 18 streams nothing and says nothing; there the node itself looks whether the publication is still the same.
    [PostgresFact(13, before: 18)]
    public async Task Missing_publication_should_be_told()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table t (id int primary key)");
        string slot = $"s_{Guid.NewGuid():N}";
        await database.ExecuteAsync($"select pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        await database.ExecuteAsync("insert into t values (1)");
        var error = await StreamAsync(database, slot);
        error.Code.ShouldBe(ExitCode.Publication);
        error.Message.ShouldContain("\"nowhere\"");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await database.ScalarAsync<bool>($"select active from pg_replication_slots where slot_name = '{slot}'")) await Task.Delay(20, limit.Token);
        await database.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
    }

    [Fact]
    public async Task Standby_should_be_no_dead_end()
    {
        await using var standby = await Sync.Testing.PostgresServer.StartStandbyAsync(fixture.Server);
        var error = await Should.ThrowAsync<PostgresException>(() => standby.ExecuteAsync("select pg_current_wal_lsn()"));
        PostgresErrors.Classify(error).ShouldBe(FailureClass.Transient);
        PostgresErrors.ToSyncException(error, address, new PostgresConnectionOptions()).Code.ShouldBe(ExitCode.PostgresUnreachable);
    }

    static async Task<SyncException> StreamAsync(Database database, string slot)
    {
        await using var connection = await database.Primary.OpenReplicationAsync();
        var error = await Should.ThrowAsync<PostgresException>(async () =>
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            var options = new PgOutputReplicationOptions("nowhere", PgOutputProtocolVersion.V1);
            await foreach (var _ in connection.StartReplication(new PgOutputReplicationSlot(slot), options, limit.Token)) { }
        });
        return database.Primary.Describe(error);
    }
}

using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Tests.Connections;

[Collection(PostgresCollection.Name)]
public class SessionSettingsTests(PostgresFixture fixture)
{
    static readonly HostPort address = new("db", 5432);

    static Dictionary<string, string> Taken(int major) => SessionSettings.Options(major).Split("-c ", StringSplitOptions.RemoveEmptyEntries)
        .Select(o => o.Trim().Replace("\\ ", " ", StringComparison.Ordinal).Split('=')).ToDictionary(o => o[0], o => o[1]);

    [Theory]
    [InlineData(13, false, false)]
    [InlineData(14, true, false)]
    [InlineData(16, true, false)]
    [InlineData(17, true, true)]
    public void Settings_should_be_those_that_the_version_knows(int major, bool idleSession, bool transaction)
    {
        Taken(major).ContainsKey("idle_session_timeout").ShouldBe(idleSession);
        Taken(major).ContainsKey("transaction_timeout").ShouldBe(transaction);
        SessionSettings.Ensure(Taken(major), major, address);
    }

    [Fact]
    public void Each_setting_that_did_not_take_should_be_named()
    {
        foreach (string name in SessionSettings.Names(17))
        {
            var actual = Taken(17);
            actual[name] = "other";
            var error = Should.Throw<SyncException>(() => SessionSettings.Ensure(actual, 17, address));
            error.Code.ShouldBe(ExitCode.PostgresUnsuitable);
            error.Message.ShouldContain($"{name} is other instead of ");
            error.Message.ShouldContain("Connect directly to PostgreSQL, not through a pooler");
            actual.Remove(name);
            Should.Throw<SyncException>(() => SessionSettings.Ensure(actual, 17, address)).Message.ShouldContain($"{name} is unknown");
        }
        SessionSettings.Ensure(new Dictionary<string, string>(Taken(17)) { ["datestyle"] = "ISO, DMY" }, 17, address);
    }

    [Fact]
    public async Task Every_session_should_have_its_own_settings_whatever_role_and_database_prefer()
    {
        string user = $"moody_{Guid.NewGuid():N}";
        string database = await fixture.Server.CreateDatabaseAsync();
        await fixture.Server.ExecuteAsync($"""
            create role {user} superuser login;
            alter database {database} set lock_timeout = '1s'; alter database {database} set idle_session_timeout = '3s'; alter database {database} set datestyle = 'German';
            alter role {user} set default_transaction_read_only = on; alter role {user} set default_transaction_isolation = 'serializable';
            alter role {user} set search_path = 'pg_temp, pg_catalog'; alter role {user} set row_security = on; alter role {user} set statement_timeout = '2s';
            alter role {user} set idle_in_transaction_session_timeout = '1s'; alter role {user} set timezone = 'Europe/Berlin'
            """);
        await using var primary = await Database.ConnectAsync(fixture.Server, database, user);
        await using var pooled = await primary.OpenAsync();
        await using var reading = await primary.OpenReadingAsync();
        await using var replication = await primary.OpenReplicationAsync();
        await using var wire = await primary.OpenWireAsync(CancellationToken.None);
        foreach (var connection in (NpgsqlConnection[])[pooled, reading])
        {
            await using var command = new NpgsqlCommand("select current_setting('lock_timeout') || current_setting('idle_session_timeout') || current_setting('transaction_read_only')", connection);
            (await command.ExecuteScalarAsync()).ShouldBe("00off");
        }
        (await replication.Show("lock_timeout")).ShouldBe("0");
        (await wire.PairsAsync("select 'path', current_setting('search_path')", CancellationToken.None))["path"].ShouldBe("public");
        // A pooled session that is handed out again has them still.
        int process = pooled.ProcessID;
        await pooled.CloseAsync();
        await using var again = await primary.OpenAsync();
        again.ProcessID.ShouldBe(process);
        await SessionSettings.CheckAsync(again, primary.Address, holdsBytes: false, CancellationToken.None);
    }

    // Values came as 01.02.2026, and verify said "no drift", because both sides were rendered so.
    [Fact]
    public async Task A_pooler_that_drops_the_settings_should_end_every_kind_of_session_with_a_sentence()
    {
        string database = await fixture.Server.CreateDatabaseAsync();
        await fixture.Server.ExecuteAsync($"alter database {database} set datestyle = 'German'; alter database {database} set bytea_output = 'escape'");
        using var pooler = new DroppingPooler(fixture.Server.Port);
        var options = new PostgresConnectionOptions { Hosts = [new HostPort("127.0.0.1", pooler.Port)], Database = database };
        await using var primary = await new PostgresConnector(options).FindPrimaryAsync();
        foreach (var open in (Func<Task>[])[
            () => primary.OpenAsync(), () => primary.OpenReadingAsync(), () => primary.OpenReplicationAsync(), () => primary.OpenWireAsync(CancellationToken.None), () => primary.ReadFactsAsync()])
        {
            var error = await Should.ThrowAsync<SyncException>(open);
            error.Code.ShouldBe(ExitCode.PostgresUnsuitable);
            error.Message.ShouldContain("datestyle is German, DMY instead of ISO");
            error.Message.ShouldContain("row_security is on instead of off");
            error.Message.ShouldContain("not through a pooler");
            PostgresErrors.Classify(error).ShouldBe(Sync.Engine.Retry.FailureClass.Fatal);
        }
    }

    [Fact]
    public async Task A_row_that_a_policy_hides_should_be_refused_by_PostgreSQL_and_the_way_out_named()
    {
        string user = $"blind_{Guid.NewGuid():N}";
        await fixture.Server.ExecuteAsync($"create role {user} login");
        await using var database = await Database.CreateAsync(fixture.Server,
            $"create table doc (id int primary key); insert into doc values (1); alter table doc enable row level security; grant select on doc to {user}", user);
        await using var command = database.Source.CreateCommand("select count(*) from doc");
        var error = database.Primary.Describe(await Should.ThrowAsync<PostgresException>(() => command.ExecuteScalarAsync()));
        error.Code.ShouldBe(ExitCode.Schema);
        error.Message.ShouldContain("\"doc\"");
        error.Message.ShouldContain($"ALTER ROLE \"{user}\" BYPASSRLS");
        await database.ExecuteAsync($"alter role {user} bypassrls");
        (await command.ExecuteScalarAsync()).ShouldBe(1L);
    }
}

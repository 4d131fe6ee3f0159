using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Testing;

namespace Sync.Postgres.Tests.Connections;

[Trait("Speed", "Slow")]
public class ServerFactsTests
{
    static readonly ServerFacts good = new(150004, "15.4", 1, 1, "logical", 10, 0, 10, new Lsn(1));

    static async Task<ServerFacts> ReadAsync(PostgresServer server, string user = "postgres")
    {
        var options = new PostgresConnectionOptions { Hosts = [new(server.Host, server.Port)], User = user };
        await using var primary = await new PostgresConnector(options).FindPrimaryAsync();
        return await primary.ReadFactsAsync();
    }

    [Fact]
    public async Task Facts_should_be_readable_by_any_user_and_show_a_new_timeline_at_once()
    {
        await using var server = await PostgresServer.StartAsync("max_replication_slots = 7", "max_wal_senders = 5");
        await server.ExecuteAsync("create role nobody login; select pg_create_physical_replication_slot('p')");
        var facts = await ReadAsync(server, "nobody");
        facts.Version.ShouldBe(await server.ScalarAsync<string>("show server_version"));
        facts.VersionNumber.ShouldBe(int.Parse((await server.ScalarAsync<string>("show server_version_num"))!));
        facts.SystemIdentifier.ShouldBe((ulong)await server.ScalarAsync<long>("select system_identifier from pg_control_system()"));
        (facts.Timeline, facts.WalLevel, facts.MaxReplicationSlots, facts.UsedReplicationSlots, facts.MaxWalSenders).ShouldBe((1u, "logical", 7, 1, 5));
        facts.CurrentLsn.ShouldBeGreaterThan(Lsn.None);

        await using var standby = await PostgresServer.StartStandbyAsync(server);
        await standby.PromoteAsync();
        (await ReadAsync(standby)).Timeline.ShouldBe(2u);
    }

    [Fact]
    public async Task Server_with_wal_level_replica_should_be_unsuitable()
    {
        await using var server = await PostgresServer.StartAsync("wal_level = replica");
        var facts = await ReadAsync(server);
        var error = Should.Throw<SyncException>(() => ServerChecks.Ensure(facts, new ReplicationOptions()));
        error.Code.ShouldBe(ExitCode.PostgresUnsuitable);
        error.Message.ShouldContain("ALTER SYSTEM SET wal_level = logical and restart");
    }

    [Fact]
    public void Checks_should_pass_a_good_server() => ServerChecks.Find(good, new ReplicationOptions { Failover = false }).ShouldBeEmpty();

    [Fact]
    public void Checks_should_name_what_is_missing()
    {
        Code(good with { VersionNumber = 120015, Version = "12.15" }).ShouldBe(ExitCode.PostgresUnsuitable);
        Code(good with { MaxWalSenders = 0 }).ShouldBe(ExitCode.PostgresUnsuitable);
        Code(good with { MaxReplicationSlots = 0 }).ShouldBe(ExitCode.PostgresUnsuitable);
        Code(good, failover: true).ShouldBe(ExitCode.Configuration);
        ServerChecks.Find(good with { VersionNumber = 170000 }, new ReplicationOptions { Failover = true }).ShouldBeEmpty();

        static ExitCode Code(ServerFacts facts, bool? failover = null) =>
            ServerChecks.Find(facts, new ReplicationOptions { Failover = failover }).ShouldHaveSingleItem().Code;
    }
}

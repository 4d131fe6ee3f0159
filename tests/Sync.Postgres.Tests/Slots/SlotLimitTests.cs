using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Slots;
using Sync.Testing;

namespace Sync.Postgres.Tests.Slots;

/// <summary>What needs a server of its own settings.</summary>
[Trait("Speed", "Slow")]
public class SlotLimitTests
{
    static readonly ReplicationOptions options = new() { Pub = "pub", Slot = "slot" };

    [Fact]
    public async Task Exhausted_slots_should_name_the_setting()
    {
        await using var server = await PostgresServer.StartAsync("max_replication_slots = 1");
        await server.ExecuteAsync("select pg_create_physical_replication_slot('taken')");
        await using var primary = await Database.ConnectAsync(server, "postgres");
        var slots = new SlotManager(primary);
        var error = await Should.ThrowAsync<SyncException>(() => slots.EnsureAsync(options));
        error.Code.ShouldBe(ExitCode.Slot);
        error.Message.ShouldContain("all 1 of max_replication_slots are taken");
        (await Should.ThrowAsync<SyncException>(() => slots.CreateTemporaryAsync("slot"))).Message.ShouldContain("max_replication_slots");
    }

    [Fact]
    public async Task Slot_that_lost_its_WAL_should_say_so()
    {
        await using var server = await PostgresServer.StartAsync("max_slot_wal_keep_size = 1MB", "min_wal_size = 32MB", "max_wal_size = 32MB");
        await using var primary = await Database.ConnectAsync(server, "postgres");
        var slots = new SlotManager(primary);
        await using (var snapshot = (await slots.EnsureAsync(options)).Snapshot) { }
        for (int i = 0; i < 4; i++) await server.ExecuteAsync("select pg_logical_emit_message(false, 'x', 'x'); select pg_switch_wal()");
        await server.ExecuteAsync("checkpoint");

        var facts = (await slots.InspectAsync(options.Slot)).ShouldNotBeNull();
        facts.WalStatus.ShouldBe("lost");
        var error = await Should.ThrowAsync<SyncException>(() => slots.EnsureAsync(options));
        error.Code.ShouldBe(ExitCode.Slot);
        error.Message.ShouldContain("Slot slot is lost (its WAL was removed)");
        error.Message.ShouldContain("pg_drop_replication_slot('slot')");
        error.Message.ShouldContain("max_slot_wal_keep_size");
    }

    [Fact]
    public void Invalidated_slot_should_say_why()
    {
        var slot = new SlotFacts { Name = "slot", Plugin = "pgoutput", Database = "shop", WalStatus = "reserved", Invalidation = "idle_timeout" };
        SlotChecks.Find(slot, "shop").ShouldNotBeNull().Message.ShouldContain("a longer idle_replication_slot_timeout");
        SlotChecks.Find(slot with { Invalidation = "rows_removed" }, "shop").ShouldNotBeNull().Message.ShouldContain("is lost (rows_removed)");
        SlotChecks.Find(slot with { Invalidation = null }, "shop").ShouldBeNull();
    }
}

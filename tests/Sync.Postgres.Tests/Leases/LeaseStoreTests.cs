using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;
using Sync.Testing;

namespace Sync.Postgres.Tests.Leases;

[Collection(PostgresCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class LeaseStoreTests(PostgresFixture fixture)
{
    static readonly TimeSpan second = TimeSpan.FromSeconds(1), minute = TimeSpan.FromMinutes(1);

    static LeaseStore Store(PostgresServer server, string database = "postgres", string user = "postgres") =>
        new(new PostgresConnector(new PostgresConnectionOptions { Hosts = [new(server.Host, server.Port)], Database = database, User = user }));

    async Task<LeaseStore> NewAsync()
    {
        var store = Store(fixture.Server, await fixture.Server.CreateDatabaseAsync());
        await store.EnsureAsync(default);
        return store;
    }

    [Fact]
    public async Task A_lease_should_have_one_owner()
    {
        await using var store = await NewAsync();
        var a = await store.AcquireAsync("x", "a", minute, default);
        (a.Owner, a.Fence).ShouldBe(("a", 1));
        a.Left.ShouldBeInRange(minute - second * 10, minute);
        (await store.AcquireAsync("x", "b", minute, default)).Owner.ShouldBe("a");
        (await store.AcquireAsync("y", "b", minute, default)).Owner.ShouldBe("b");
        (await store.ReadAsync("x", default))!.Owner.ShouldBe("a");
    }

    [Fact]
    public async Task Each_new_holding_should_have_a_greater_fence()
    {
        await using var store = await NewAsync();
        (await store.AcquireAsync("x", "a", minute, default)).Fence.ShouldBe(1);
        (await store.AcquireAsync("x", "a", minute, default)).Fence.ShouldBe(1, "it is the same holding");
        await store.ReleaseAsync("x", 1, default);
        (await store.ReadAsync("x", default)).ShouldBeNull();
        (await store.AcquireAsync("x", "a", minute, default)).Fence.ShouldBe(2);
        await store.ReleaseAsync("x", 1, default);
        (await store.ReadAsync("x", default))!.Fence.ShouldBe(2, "what is released was another one");
        await store.ReleaseAsync("x", 2, default);
        (await store.AcquireAsync("x", "b", minute, default)).Fence.ShouldBe(3);
    }

    [Fact]
    public async Task An_expired_lease_should_fall_to_whoever_comes_and_to_its_holder_until_then()
    {
        await using var store = await NewAsync();
        var a = await store.AcquireAsync("x", "a", TimeSpan.FromMilliseconds(200), default);
        await Task.Delay(400);
        (await store.ReadAsync("x", default)).ShouldBeNull();
        (await store.RenewAsync("x", a.Fence, TimeSpan.FromMilliseconds(200), default)).ShouldBeTrue("nobody has come for it");
        await Task.Delay(400);
        (await store.AcquireAsync("x", "b", minute, default)).Owner.ShouldBe("b");
        (await store.RenewAsync("x", a.Fence, minute, default)).ShouldBeFalse();
    }

    [Fact]
    public async Task Renewals_should_be_seen_by_others()
    {
        await using var store = await NewAsync();
        var a = await store.AcquireAsync("x", "a", second * 20, default);
        long before = (await store.AcquireAsync("x", "b", minute, default)).Renewals;
        (await store.RenewAsync("x", a.Fence, minute, default)).ShouldBeTrue();
        var after = await store.AcquireAsync("x", "b", minute, default);
        after.Renewals.ShouldBe(before + 1);
        after.Left.ShouldBeGreaterThan(second * 40);
    }

    [Fact]
    public async Task A_released_lease_should_not_be_renewed()
    {
        await using var store = await NewAsync();
        var a = await store.AcquireAsync("x", "a", minute, default);
        await store.ReleaseAsync("x", a.Fence, default);
        (await store.RenewAsync("x", a.Fence, minute, default)).ShouldBeFalse();
    }

    [Fact]
    public async Task Of_many_who_come_at_once_one_should_get_it()
    {
        await using var store = await NewAsync();
        for (int round = 0; round < 20; round++)
        {
            string name = $"x{round}";
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => store.AcquireAsync(name, $"{i}", minute, default).AsTask()));
            answers.Select(a => (a.Owner, a.Fence)).Distinct().Count().ShouldBe(1);
        }
    }

    [Fact]
    public async Task Nodes_that_start_at_once_should_all_find_the_table()
    {
        string database = await fixture.Server.CreateDatabaseAsync();
        LeaseStore[] stores = [.. Enumerable.Range(0, 6).Select(_ => Store(fixture.Server, database))];
        await Task.WhenAll(stores.Select(s => s.EnsureAsync(default)));
        foreach (var store in stores) await store.DisposeAsync();
    }

    [Fact]
    public async Task Connections_that_died_unnoticed_should_not_be_noticed()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var store = Store(server);
        await store.EnsureAsync(default);
        var a = await store.AcquireAsync("x", "a", minute, default);
        await server.RestartAsync();
        (await store.RenewAsync("x", a.Fence, minute, default)).ShouldBeTrue();
        await server.StopAsync();
        await Should.ThrowAsync<SyncException>(async () => await store.ReadAsync("x", default));
        await server.StartAgainAsync();
        (await store.ReadAsync("x", default))!.Owner.ShouldBe("a");
    }

    [Fact]
    public async Task A_user_without_the_right_to_create_should_be_told_what_to_run()
    {
        string database = await fixture.Server.CreateDatabaseAsync();
        await fixture.Server.ExecuteAsync("do $$ begin create role lease_reader login; exception when duplicate_object then null; end $$");
        await using var store = Store(fixture.Server, database, "lease_reader");
        var error = await Should.ThrowAsync<SyncException>(() => store.EnsureAsync(default));
        error.Code.ShouldBe(ExitCode.Schema);
        error.Message.ShouldContain("CREATE SCHEMA actorsync AUTHORIZATION \"lease_reader\"");
        await fixture.Server.ExecuteAsync("create schema actorsync authorization lease_reader", database);
        await store.EnsureAsync(default);
        (await store.AcquireAsync("x", "a", minute, default)).Owner.ShouldBe("a");
    }
}

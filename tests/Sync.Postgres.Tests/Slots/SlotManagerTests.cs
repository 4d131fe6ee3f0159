using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Slots;
using Sync.Postgres.Streaming;

namespace Sync.Postgres.Tests.Slots;

[Collection(PostgresCollection.Name)]
public class SlotManagerTests(PostgresFixture fixture)
{
    static readonly TimeSpan deadline = TimeSpan.FromSeconds(30);

    // Slots are the server's, not a database's: every test needs a name of its own.
    readonly ReplicationOptions options = new() { Pub = "pub", Slot = $"s_{Guid.NewGuid():N}" };

    static async Task<SyncException> FailAsync(Func<Task> action)
    {
        var error = await Should.ThrowAsync<SyncException>(action);
        error.Code.ShouldBe(ExitCode.Slot);
        return error;
    }

    static async Task<long> CountAsync(Database database, ExportedSnapshot snapshot)
    {
        await using var connection = await database.Primary.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);
        await using (var import = new NpgsqlCommand($"set transaction snapshot '{snapshot.Name}'", connection)) await import.ExecuteNonQueryAsync();
        await using var count = new NpgsqlCommand("select count(*) from t", connection);
        return (long)(await count.ExecuteScalarAsync())!;
    }

    [Fact]
    public async Task App_should_create_the_slot_with_a_snapshot_of_its_begin()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table t (id int primary key); insert into t values (1)");
        var slots = new SlotManager(database.Primary);
        (await slots.InspectAsync(options.Slot)).ShouldBeNull();

        var result = await slots.EnsureAsync(options);
        result.Created.ShouldBeTrue();
        await using (var snapshot = result.Snapshot.ShouldNotBeNull())
        {
            await database.ExecuteAsync("insert into t values (2)");
            (await CountAsync(database, snapshot)).ShouldBe(1);
            // A slot that standbys keep (PostgreSQL 17) comes without a snapshot; a temporary slot right behind it has one.
            snapshot.ConsistentPoint.ShouldBeGreaterThanOrEqualTo(result.Facts.ConfirmedFlushLsn);
            if (result.Facts.IsFailover != true) snapshot.ConsistentPoint.ShouldBe(result.Facts.ConfirmedFlushLsn);
        }
        var facts = result.Facts;
        (facts.Plugin, facts.Database, facts.IsTemporary, facts.WalStatus, facts.Invalidation).ShouldBe(("pgoutput", database.Name, false, "reserved", null));
        facts.RestartLsn.ShouldBeGreaterThan(Lsn.None);
        facts.RetainedBytes.ShouldBeGreaterThan(0);

        var again = await slots.EnsureAsync(options);
        again.Created.ShouldBeFalse();
        (await slots.DropAsync(options.Slot)).ShouldBeTrue();
        (await slots.DropAsync(options.Slot)).ShouldBeFalse();
    }

    [Theory]
    [InlineData("2025_shop")]
    [InlineData("temporary")]
    [InlineData("logical")]
    [InlineData("_")]
    public async Task Any_name_of_a_slot_should_do(string name)
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table t (id int primary key); create publication pub for table t");
        var slots = new SlotManager(database.Primary);
        await using (var result = (await slots.EnsureAsync(options with { Slot = name })).Snapshot.ShouldNotBeNull()) result.Name.ShouldNotBeEmpty();
        await using (var temporary = await slots.CreateTemporaryAsync(name)) temporary.ConsistentPoint.ShouldBeGreaterThan(Lsn.None);
        await using (var stream = await ReplicationStream.OpenAsync(database.Primary, new ReplicationStreamOptions { Slot = name, Publications = ["pub"] }, CancellationToken.None))
        {
            await database.ExecuteAsync("insert into t values (1)");
            (await stream.NextAsync().AsTask().WaitAsync(deadline)).Span[0].ShouldBe((byte)'B');
        }
        using var limit = new CancellationTokenSource(deadline);
        (await slots.WaitUntilFreeAsync(name, _ => { }, limit.Token)).ShouldNotBeNull();
        (await slots.DropAsync(name)).ShouldBeTrue();
    }

    [Fact]
    public async Task User_should_be_told_how_to_create_the_slot()
    {
        await using var database = await Database.CreateAsync(fixture.Server);
        var slots = new SlotManager(database.Primary);
        var error = await FailAsync(() => slots.EnsureAsync(options with { Owner = ReplicationOwner.User }));
        error.Message.ShouldContain($"pg_create_logical_replication_slot('{options.Slot}', 'pgoutput')");

        await database.ExecuteAsync($"select pg_create_logical_replication_slot('{options.Slot}', 'pgoutput')");
        (await slots.EnsureAsync(options with { Owner = ReplicationOwner.User })).Created.ShouldBeFalse();
        await slots.DropAsync(options.Slot);
    }

    [Fact]
    public async Task Slot_that_cannot_serve_should_be_refused()
    {
        await using var database = await Database.CreateAsync(fixture.Server);
        await using var other = await Database.CreateAsync(fixture.Server);
        var slots = new SlotManager(database.Primary);

        await database.ExecuteAsync($"select pg_create_logical_replication_slot('{options.Slot}', 'test_decoding')");
        (await FailAsync(() => slots.EnsureAsync(options))).Message.ShouldContain("plugin test_decoding");
        await slots.DropAsync(options.Slot);

        await database.ExecuteAsync($"select pg_create_physical_replication_slot('{options.Slot}')");
        (await FailAsync(() => slots.EnsureAsync(options))).Message.ShouldContain("physical");
        await slots.DropAsync(options.Slot);

        await other.ExecuteAsync($"select pg_create_logical_replication_slot('{options.Slot}', 'pgoutput')");
        (await FailAsync(() => slots.EnsureAsync(options))).Message.ShouldContain($"belongs to database {other.Name}");
        await new SlotManager(other.Primary).DropAsync(options.Slot);
    }

    [Fact]
    public async Task Slot_in_use_should_be_waited_for_and_say_by_whom()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create publication pub for all tables");
        var slots = new SlotManager(database.Primary);
        await using (var snapshot = (await slots.EnsureAsync(options)).Snapshot) { }

        using var stop = new CancellationTokenSource();
        var builder = new NpgsqlConnectionStringBuilder(fixture.Server.ConnectionString(database.Name)) { ApplicationName = "other node" };
        var holder = new LogicalReplicationConnection(builder.ConnectionString);
        await holder.Open();
        var stream = Task.Run(async () =>
        {
            try
            {
                var output = new PgOutputReplicationOptions("pub", PgOutputProtocolVersion.V1);
                await foreach (var _ in holder.StartReplication(new PgOutputReplicationSlot(options.Slot), output, stop.Token)) { }
            }
            catch (OperationCanceledException) { }
        });
        using var limit = new CancellationTokenSource(deadline);
        while ((await slots.InspectAsync(options.Slot))?.IsActive != true) await Task.Delay(20, limit.Token);

        (await FailAsync(() => slots.DropAsync(options.Slot))).Message.ShouldContain("(other node)");
        (await slots.EndReaderAsync(options.Slot)).ShouldBeFalse("it is none of ours");
        using (var impatient = new CancellationTokenSource())
            await Should.ThrowAsync<OperationCanceledException>(() => slots.WaitUntilFreeAsync(options.Slot, _ => impatient.Cancel(), impatient.Token));

        var seen = new List<SlotFacts>();
        var free = await slots.WaitUntilFreeAsync(options.Slot, facts =>
        {
            seen.Add(facts);
            stop.Cancel();
        }, limit.Token);
        free.ShouldNotBeNull().IsActive.ShouldBeFalse();
        var who = seen.ShouldHaveSingleItem().Holder.ShouldNotBeNull();
        (who.ApplicationName, who.User, who.ClientAddress).ShouldBe(("other node", "postgres", "127.0.0.1"));
        who.ToString().ShouldBe($"process {who.Pid} of user postgres (other node) from 127.0.0.1");

        await stream;
        await holder.DisposeAsync();
        await slots.DropAsync(options.Slot);
        (await slots.WaitUntilFreeAsync(options.Slot, _ => throw new InvalidOperationException("nobody to wait for"))).ShouldBeNull();
    }

    [Fact]
    public async Task One_of_us_that_reads_without_the_lease_should_be_ended()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create publication pub for all tables");
        var slots = new SlotManager(database.Primary);
        await using (var snapshot = (await slots.EnsureAsync(options)).Snapshot) { }
        (await slots.EndReaderAsync(options.Slot)).ShouldBeFalse("nobody reads");

        using var limit = new CancellationTokenSource(deadline);
        await using var stream = await ReplicationStream.OpenAsync(database.Primary, new ReplicationStreamOptions { Slot = options.Slot, Publications = ["pub"] }, limit.Token);
        while ((await slots.InspectAsync(options.Slot))?.IsActive != true) await Task.Delay(20, limit.Token);
        (await slots.EndReaderAsync(options.Slot)).ShouldBeTrue();
        (await slots.WaitUntilFreeAsync(options.Slot, _ => { }, limit.Token)).ShouldNotBeNull();
        await slots.DropAsync(options.Slot);
    }

    [Fact]
    public async Task Temporary_slot_should_end_with_its_snapshot()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table t (id int primary key); insert into t values (1), (2)");
        var slots = new SlotManager(database.Primary);
        string name = "a_name_as_long_as_postgresql_takes_it_for_a_slot_0123456789_abc";
        string like = $"select count(*) from pg_replication_slots where temporary and database = '{database.Name}'";
        await using (var snapshot = await slots.CreateTemporaryAsync(name))
        {
            await database.ExecuteAsync("insert into t values (3)");
            (await CountAsync(database, snapshot)).ShouldBe(2);
            (await database.ScalarAsync<long>(like)).ShouldBe(1);
        }
        using var limit = new CancellationTokenSource(deadline);
        while (await database.ScalarAsync<long>(like) != 0) await Task.Delay(20, limit.Token);
    }

    [Fact]
    public async Task Creation_should_wait_for_transactions_under_way_until_cancelled()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table t (id int primary key)");
        var slots = new SlotManager(database.Primary);
        await using var busy = await database.Server.OpenAsync(database.Name);
        await using var transaction = await busy.BeginTransactionAsync();
        await using (var insert = new NpgsqlCommand("insert into t values (1)", busy, transaction)) await insert.ExecuteNonQueryAsync();

        using var impatient = new CancellationTokenSource();
        var cancelled = slots.EnsureAsync(options, impatient.Token);
        using var limit = new CancellationTokenSource(deadline);
        while (await database.ScalarAsync<long>("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()") == 0)
            await Task.Delay(20, limit.Token);
        cancelled.IsCompleted.ShouldBeFalse();
        await impatient.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => cancelled);

        while (await slots.InspectAsync(options.Slot) is not null) await Task.Delay(20, limit.Token);
        var patient = slots.EnsureAsync(options, limit.Token);
        await transaction.CommitAsync();
        await using (var snapshot = (await patient).Snapshot.ShouldNotBeNull()) (await CountAsync(database, snapshot)).ShouldBe(1);
        await slots.DropAsync(options.Slot);
    }

    [Fact]
    public async Task Nodes_that_start_together_should_create_one_slot()
    {
        await using var database = await Database.CreateAsync(fixture.Server);
        var slots = new SlotManager(database.Primary);
        var results = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => slots.EnsureAsync(options)));
        results.Count(r => r.Created).ShouldBe(1);
        foreach (var result in results)
            if (result.Snapshot is { } snapshot) await snapshot.DisposeAsync();
        await slots.DropAsync(options.Slot);
    }

    [Fact]
    public async Task User_without_replication_should_be_told_the_attribute()
    {
        await fixture.Server.ExecuteAsync("create role mere login");
        await using var database = await Database.CreateAsync(fixture.Server, user: "mere");
        var error = await Should.ThrowAsync<SyncException>(() => new SlotManager(database.Primary).EnsureAsync(options));
        error.Code.ShouldBe(ExitCode.Schema);
        error.Message.ShouldContain("ALTER ROLE \"mere\" REPLICATION");
    }
}

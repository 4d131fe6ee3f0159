using Npgsql;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Postgres.Slots;

namespace Sync.Postgres.Tests.Connections;

[Collection(PostgresCollection.Name)]
public class WaitWatchTests(PostgresFixture fixture)
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);

    /// <summary>Words of the watch, and a task that ends with the first of a kind.</summary>
    sealed class Ear
    {
        readonly TaskCompletionSource<string> waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        readonly TaskCompletionSource over = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Waits => waits.Task.WaitAsync(patience);
        public Task Over => over.Task.WaitAsync(patience);

        public void Hear(string text)
        {
            if (text.Length > 0) waits.TrySetResult(text);
            else over.TrySetResult();
        }
    }

    [Fact]
    public async Task A_slot_should_wait_for_an_open_transaction_and_the_watch_say_whose()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table t (id int primary key)");
        await database.ExecuteAsync($"alter database {database.Name} set lock_timeout = '1s'");
        await using var other = await fixture.Server.OpenAsync(database.Name);
        await using (var begin = new NpgsqlCommand("set application_name = 'other app'; begin; insert into t values (1)", other)) await begin.ExecuteNonQueryAsync();
        await using var primary = await Database.ConnectAsync(fixture.Server, database.Name);
        var ear = new Ear();
        await using var watch = WaitWatch.Start(primary, ear.Hear, TimeProvider.System);
        string slot = $"s_{Guid.NewGuid():N}";
        var created = new SlotManager(primary).EnsureAsync(new ReplicationOptions { Pub = "pub", Slot = slot });

        string words = await ear.Waits;
        words.ShouldContain($"process {other.ProcessID} of user postgres (other app), idle in transaction since 20");
        words.ShouldContain($"SELECT pg_terminate_backend({other.ProcessID})");
        created.IsCompleted.ShouldBeFalse();
        await using (var commit = new NpgsqlCommand("commit", other)) await commit.ExecuteNonQueryAsync();
        var result = await created.WaitAsync(patience);
        await ear.Over;
        await result.Snapshot!.DisposeAsync();
        await new SlotManager(primary).DropAsync(slot);
    }

    [Fact]
    public async Task A_lock_should_be_waited_for_and_its_holder_named()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table t (id int primary key)");
        await using var other = await fixture.Server.OpenAsync(database.Name);
        await using (var begin = new NpgsqlCommand("begin; lock table t", other)) await begin.ExecuteNonQueryAsync();
        var ear = new Ear();
        await using var watch = WaitWatch.Start(database.Primary, ear.Hear, TimeProvider.System);
        var reading = new Sync.Postgres.Catalog.CatalogReader(database.Source).ReadAsync(new TableName("public", "t"));
        (await ear.Waits).ShouldContain($"process {other.ProcessID} ");
        reading.IsCompleted.ShouldBeFalse();
        await using (var commit = new NpgsqlCommand("commit", other)) await commit.ExecuteNonQueryAsync();
        (await reading.WaitAsync(patience)).Columns.Count.ShouldBe(1);
    }
}

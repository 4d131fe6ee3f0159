using Npgsql;
using Sync.Postgres.Slots;
using Sync.Testing;

namespace Sync.Postgres.Tests.Slots;

[Collection(PostgresCollection.Name)]
public sealed class MemberLockTests(PostgresFixture fixture)
{
    // Locks are the database's, and each test has its own.
    const string slot = "s";

    [Fact]
    public async Task Members_should_be_seen_as_long_as_one_is_left()
    {
        await using var database = await Database.CreateAsync(fixture.Server);
        (await MemberLock.IsAnyAsync(database.Primary, slot, default)).ShouldBeFalse();
        await using (var one = await MemberLock.TakeAsync(database.Primary, slot, default))
        {
            await using (var two = await MemberLock.TakeAsync(database.Primary, slot, default)) (await MemberLock.IsAnyAsync(database.Primary, slot, default)).ShouldBeTrue();
            (await MemberLock.IsAnyAsync(database.Primary, slot, default)).ShouldBeTrue();
            (await MemberLock.IsAnyAsync(database.Primary, "other", default)).ShouldBeFalse();
            (await SlotLease.IsHeldAsync(database.Primary, slot, default)).ShouldBeFalse();
            one.Lost.IsCompleted.ShouldBeFalse();
        }
        (await MemberLock.IsAnyAsync(database.Primary, slot, default)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_member_should_hear_that_its_sign_is_lost()
    {
        await using var database = await Database.CreateAsync(fixture.Server);
        await using var member = await MemberLock.TakeAsync(database.Primary, slot, default);
        (await database.ScalarAsync<long>("select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())")).ShouldBe(1);
        await member.Lost.WaitAsync(TimeSpan.FromSeconds(30));
        (await MemberLock.IsAnyAsync(database.Primary, slot, default)).ShouldBeFalse();
    }

    [PostgresFact(14)]
    public async Task A_session_that_is_given_back_should_keep_neither_lock_nor_timeout()
    {
        await using var database = await Database.CreateAsync(fixture.Server);
        int taken;
        await using (await MemberLock.TakeAsync(database.Primary, slot, default))
            taken = await database.ScalarAsync<int>("select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())");
        await using var connection = await database.Primary.OpenAsync();
        connection.ProcessID.ShouldBe(taken);
        await using var command = new NpgsqlCommand("select current_setting('idle_session_timeout')", connection);
        (await command.ExecuteScalarAsync()).ShouldBe("0");
    }
}

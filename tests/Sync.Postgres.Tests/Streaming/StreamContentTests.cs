using Npgsql;
using Sync.Testing;

namespace Sync.Postgres.Tests.Streaming;

/// <summary>What PostgreSQL really sends, read through stream and decoder.</summary>
[Collection(PostgresCollection.Name)]
public class StreamContentTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Rows_should_arrive_whole_in_commit_order()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text)");
        await stream.SqlAsync("insert into t values (1, 'a'), (2, null), (3, '')");
        await stream.SqlAsync("update t set v = 'b' where id = 1; delete from t where id = 2");
        (await stream.ReadAsync(2)).ShouldBe(["I (1, a)", "I (2, NULL)", "I (3, )", "U (1, b)", "D (2, MISSING)"]);
    }

    [Fact]
    public async Task A_changed_key_should_bring_the_old_one()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (a int, b int, v text, primary key (b, a))");
        await stream.SqlAsync("insert into t values (1, 2, 'x')");
        await stream.SqlAsync("update t set a = 9");
        await stream.SqlAsync("update t set v = 'y'");
        (await stream.ReadAsync(3)).ShouldBe(["I (1, 2, x)", "U (1, 2, MISSING) -> (9, 2, x)", "U (9, 2, y)"]);
    }

    [Fact]
    public async Task Replica_identity_full_should_bring_whole_old_rows()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text); alter table t replica identity full");
        await stream.SqlAsync("insert into t values (1, null)");
        await stream.SqlAsync("update t set v = 'x'");
        await stream.SqlAsync("delete from t");
        (await stream.ReadAsync(3)).ShouldBe(["I (1, NULL)", "U (1, NULL) -> (1, x)", "D (1, x)"]);
    }

    [Fact]
    public async Task Replica_identity_by_index_should_mark_its_columns()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server,
            "create table t (id int primary key, code text not null unique, v int); alter table t replica identity using index t_code_key");
        await stream.SqlAsync("insert into t values (1, 'c', 5)");
        await stream.SqlAsync("delete from t");
        (await stream.ReadAsync(2, descriptions: true)).ShouldBe(["R public.t i id:23 code:25! v:23", "I (1, c, 5)", "D (MISSING, c, MISSING)"]);
    }

    [Theory]
    [InlineData("default", "U (1, UNCHANGED, 2)")]
    [InlineData("full", "U (1, BODY, 1) -> (1, UNCHANGED, 2)")]
    public async Task An_untouched_TOAST_value_should_be_told_from_NULL(string identity, string expected)
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server,
            $"create table t (id int primary key, body text, n int); alter table t alter body set storage external; alter table t replica identity {identity}");
        await stream.SqlAsync("insert into t values (1, repeat('x', 100000), 1)");
        await stream.SqlAsync("update t set n = 2");
        var lines = await stream.ReadAsync(2);
        lines[1].Replace(new string('x', 100_000), "BODY").ShouldBe(expected);
    }

    [Fact]
    public async Task Schema_changes_should_be_described_before_the_next_row()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key, v int)");
        await stream.SqlAsync("insert into t values (1, 1)");
        await stream.SqlAsync("alter table t add w text default 'new'; insert into t values (2, 2)");
        await stream.SqlAsync("alter table t alter v type numeric(6,2)");
        await stream.SqlAsync("update t set v = 2.5 where id = 1");
        await stream.SqlAsync("alter table t drop v; alter table t rename w to x; insert into t values (3, 'c')");
        var lines = await stream.ReadAsync(4, descriptions: true);
        lines.ShouldBe([
            "R public.t d id:23! v:23", "I (1, 1)",
            "R public.t d id:23! v:23 w:25", "I (2, 2, new)",
            "R public.t d id:23! v:1700 w:25", "U (1, 2.50, new)",
            "R public.t d id:23! x:25", "I (3, c)",
        ]);
    }

    [Fact]
    public async Task Types_that_are_not_built_in_should_be_named()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create type mood as enum ('ok', 'bad'); create table t (id int primary key, m mood)");
        await stream.SqlAsync("insert into t values (1, 'bad')");
        var lines = await stream.ReadAsync(1, descriptions: true);
        lines.Count.ShouldBe(3);
        (lines[0], lines[2]).ShouldBe(("Y public.mood", "I (1, bad)"));
    }

    [Fact]
    public async Task Partitions_should_appear_as_their_root_in_its_column_order()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, """
            create table t (id int, region text, v int, primary key (id, region)) partition by list (region);
            create table t_eu partition of t for values in ('eu');
            create table t_us (v int, region text not null, id int not null, primary key (id, region));
            alter table t attach partition t_us for values in ('us');
            """);
        await stream.SqlAsync("insert into t values (1, 'eu', 10), (2, 'us', 20)");
        await stream.SqlAsync("update t set region = 'us' where id = 1");
        (await stream.ReadAsync(2)).ShouldBe(["I (1, eu, 10)", "I (2, us, 20)", "D (1, eu, MISSING)", "I (1, us, 10)"]);
        stream.Decoder.Table!.Name.ShouldBe("t");
    }

    [Fact]
    public async Task One_truncate_should_name_all_its_tables_and_options()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server,
            "create table a (id int primary key); create table b (id int primary key, a int references a)");
        await stream.SqlAsync("truncate a, b restart identity");
        await stream.SqlAsync("truncate a cascade");
        (await stream.ReadAsync(2)).ShouldBe(["T 2 restart", "T 2 cascade"]);
    }

    [PostgresFact(15)]
    public async Task Column_lists_and_row_filters_of_the_publication_should_hold()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server,
            "create table t (id int primary key, v int, secret text)", "for table t (id, v) where (id > 10)");
        await stream.SqlAsync("insert into t values (1, 1, 's'), (11, 2, 's')");
        (await stream.ReadAsync(1, descriptions: true)).ShouldBe(["R public.t d id:23! v:23", "I (11, 2)"]);
    }

    [Fact]
    public async Task Generated_columns_should_not_be_sent()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server,
            "create table t (id int primary key, twice int generated always as (id * 2) stored, v text)");
        await stream.SqlAsync("insert into t values (4, default, 'x')");
        (await stream.ReadAsync(1, descriptions: true)).ShouldBe(["R public.t d id:23! v:25", "I (4, x)"]);
    }

    [Fact]
    public async Task A_replicated_transaction_should_name_its_origin()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        string origin = $"up_{stream.Slot}";
        // Each statement commits by itself: the origin must still be set at the insert's commit.
        await using (var connection = await stream.ConnectAsync())
            foreach (string sql in new[]
            {
                $"select pg_replication_origin_create('{origin}')", $"select pg_replication_origin_session_setup('{origin}')", "insert into t values (1)",
                "select pg_replication_origin_session_reset()",
            })
            {
                await using var command = new NpgsqlCommand(sql, connection);
                await command.ExecuteNonQueryAsync();
            }
        (await stream.ReadAsync()).ShouldBe([$"O {origin}", "I (1)"]);
        await stream.SqlAsync($"select pg_replication_origin_drop('{origin}')");
    }

    [PostgresFact(14)]
    public async Task Logical_messages_should_arrive_inside_and_outside_of_transactions()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        await stream.SqlAsync("select pg_logical_emit_message(false, 'free', 'one'); insert into t values (1); select pg_logical_emit_message(true, 'bound', 'two')");
        (await stream.ReadAsync()).ShouldBe(["M False free one", "I (1)", "M True bound two"]);
    }
}

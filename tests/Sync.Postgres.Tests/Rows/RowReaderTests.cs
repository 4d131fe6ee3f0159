using FsCheck;
using FsCheck.Fluent;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Postgres.Rows;
using Sync.Postgres.Tests.Snapshots;
using Sync.Postgres.Tests.Streaming;

namespace Sync.Postgres.Tests.Rows;

[Collection(PostgresCollection.Name)]
public class RowReaderTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Reader_should_give_the_row_as_it_is_now_or_say_that_it_is_gone()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (a int, b text, v text, primary key (b, a)); insert into t values (1, 'x', null), (2, 'x', '')");
        await using var reader = new RowReader(db.Primary);
        var relation = (await db.TargetAsync("t")).Relation;
        (await ReadAsync(reader, relation, "1", "x", null)).ShouldBe("(1, x, NULL)");
        (await ReadAsync(reader, relation, "2", "x", null)).ShouldBe("(2, x, )");
        (await ReadAsync(reader, relation, "3", "x", null)).ShouldBeNull();
        await db.SqlAsync("update t set v = 'later' where a = 1");
        (await ReadAsync(reader, relation, "1", "x", null)).ShouldBe("(1, x, later)");
    }

    [Fact]
    public async Task Reader_should_wait_until_a_transaction_can_be_seen()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text); insert into t values (1, 'before')");
        await using var reader = new RowReader(db.Primary);
        var relation = (await db.TargetAsync("t")).Relation;
        await using var writer = await db.Primary.OpenAsync();
        await using var transaction = await writer.BeginTransactionAsync();
        await using var update = new NpgsqlCommand("update t set v = 'after' returning (txid_current() % 4294967296)::text", writer);
        uint id = uint.Parse((string)(await update.ExecuteScalarAsync())!, System.Globalization.CultureInfo.InvariantCulture);

        var read = Task.Run(async () =>
        {
            await reader.SeeAsync(id);
            return await ReadAsync(reader, relation, "1", null);
        });
        await using (var watcher = await db.Primary.OpenAsync())
        await using (var looked = new NpgsqlCommand("select exists (select from pg_stat_activity where query like '%txid_visible%' and pid <> pg_backend_pid() and state = 'idle' and datname = current_database())", watcher))
            for (var deadline = DateTime.UtcNow.AddSeconds(20); !(bool)(await looked.ExecuteScalarAsync())! && !read.IsCompleted; await Task.Delay(2))
                (DateTime.UtcNow < deadline).ShouldBeTrue("the reader should look for the transaction");
        await transaction.CommitAsync();
        (await read).ShouldBe("(1, after)");
        await reader.SeeAsync(id);
    }

    [Fact]
    public async Task Reader_should_not_look_for_transactions_that_ended_before_the_last_look()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        await using var reader = new RowReader(db.Primary);
        await using var sql = await db.Primary.OpenAsync();
        async Task<uint> CommitAsync()
        {
            await using var insert = new NpgsqlCommand("insert into t select coalesce(max(id), 0) + 1 from t returning (txid_current() % 4294967296)::text", sql);
            return uint.Parse((string)(await insert.ExecuteScalarAsync())!, System.Globalization.CultureInfo.InvariantCulture);
        }
        uint first = await CommitAsync(), second = await CommitAsync();
        await reader.SeeAsync(second);
        uint third = await CommitAsync();
        await using (var end = new NpgsqlCommand("select pg_terminate_backend(pid) from pg_stat_activity where query like '%txid_visible%' and pid <> pg_backend_pid() and datname = current_database()", sql))
            ((bool)(await end.ExecuteScalarAsync())!).ShouldBeTrue();
        await reader.SeeAsync(first);
        await Should.ThrowAsync<SyncException>(async () => await reader.SeeAsync(third));
        await reader.SeeAsync(third);
    }

    [Fact]
    public async Task Key_values_should_come_from_the_old_row_where_the_new_one_lacks_them()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id text primary key, v int); insert into t values ('k', 5)");
        await using var reader = new RowReader(db.Primary);
        var relation = (await db.TargetAsync("t")).Relation;
        (await reader.ReadAsync(relation, new RowTuple([], [new Cell(CellState.Unchanged), new Cell(CellState.Null)]), new RowTuple("k"u8, [new Cell(CellState.Text, 0, 1)]))).ShouldBeTrue();
        Rendering.Show(reader.Row, 2).ShouldBe("(k, 5)");
        var error = await Should.ThrowAsync<SyncException>(async () => await reader.ReadAsync(relation, new RowTuple([], [new Cell(CellState.Unchanged)])));
        error.Message.ShouldContain("column id of its primary key was not sent");
    }

    [Fact]
    public async Task Nasty_keys_should_find_their_row_and_nothing_else()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id text primary key, n int)");
        string[] keys = ["'", "''", "\\", "\\'", "'; drop table t; --", "a\nb", "a\r\nb", "\t", "$1", "E'x'", "ü😀", "", " ", "x) TO STDOUT", "\\\\", "\u0001", "/*", "\"", "\\N"];
        await using (var connection = await db.Primary.OpenAsync())
            for (int i = 0; i < keys.Length; i++)
            {
                await using var insert = new NpgsqlCommand("insert into t values ($1, $2)", connection) { Parameters = { new() { Value = keys[i] }, new() { Value = i } } };
                await insert.ExecuteNonQueryAsync();
            }
        await using var reader = new RowReader(db.Primary);
        var relation = (await db.TargetAsync("t")).Relation;
        for (int i = 0; i < keys.Length; i++) (await ReadAsync(reader, relation, keys[i], null)).ShouldBe($"({keys[i]}, {i})");
        (await ReadAsync(reader, relation, "' or true --", null)).ShouldBeNull();
    }

    [Fact]
    public async Task Literals_should_mean_the_same_under_either_setting_of_standard_conforming_strings()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "select 1");
        await using var connection = await db.Primary.OpenAsync();
        Prop.ForAll<NonNull<string>, bool>((text, standard) =>
        {
            // NUL can't be stored in PostgreSQL, and lone surrogates are no UTF-8.
            if (text.Get.Any(char.IsSurrogate)) return;
            string value = text.Get.Replace("\0", "") + "\\'";
            using var command = new NpgsqlCommand($"set standard_conforming_strings = {standard}; ", connection);
            command.ExecuteNonQuery();
            // Without parameters and through COPY, as the reader does; Npgsql itself then leaves the text alone.
            using var export = connection.BeginTextExport($"COPY (SELECT encode(convert_to({RowQuery.Literal(value)}, 'UTF8'), 'hex')) TO STDOUT");
            export.ReadToEnd().Trim().ShouldBe(Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(value)));
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]
    [InlineData("char(5)", "ab   ")]
    [InlineData("boolean", "t")]
    [InlineData("timestamptz", "2026-01-02 03:04:05.123456+00")]
    [InlineData("numeric", "12345678901234567890.1234567890")]
    [InlineData("bytea", "\\x00ff5c")]
    [InlineData("mood", "o'k")]
    [InlineData("positive", "7")]
    [InlineData("int[]", "{1,2}")]
    [InlineData("name", "n")]
    public async Task Keys_of_any_type_should_be_found_without_a_cast(string type, string value)
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server,
            $"create type mood as enum ('o''k'); create domain positive as int check (value > 0); create table t (id {type} primary key); insert into t values ('{value.Replace("'", "''")}')");
        await using var reader = new RowReader(db.Primary);
        (await ReadAsync(reader, (await db.TargetAsync("t")).Relation, value)).ShouldBe($"({value})");
    }

    [Fact]
    public async Task Partitioned_tables_should_be_read_through_the_root_and_inheriting_ones_left_out()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, """
            create table p (id int primary key, v text) partition by range (id);
            create table p_1 partition of p for values from (0) to (10);
            insert into p values (1, 'in a partition');
            create table t (id int primary key); create table child () inherits (t); insert into child values (5);
            """);
        await using var reader = new RowReader(db.Primary);
        (await ReadAsync(reader, (await db.TargetAsync("p")).Relation, "1", null)).ShouldBe("(1, in a partition)");
        (await ReadAsync(reader, (await db.TargetAsync("t")).Relation, "5")).ShouldBeNull();
    }

    [Fact]
    public async Task A_relation_of_the_past_should_still_find_its_table()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text, w int); insert into t values (1, 'a', 2)");
        await using var reader = new RowReader(db.Primary);
        var relation = (await db.TargetAsync("t")).Relation;
        (await ReadAsync(reader, relation, "1", null, null)).ShouldBe("(1, a, 2)");
        await db.SqlAsync("alter table t drop v; alter table t add x int default 9; create schema s; alter table t set schema s; alter table s.t rename to u");
        (await ReadAsync(reader, relation, "1", null, null)).ShouldBe("(1, MISSING, 2)");
        await db.SqlAsync("drop table s.u");
        (await ReadAsync(reader, relation, "1", null, null)).ShouldBeNull();
    }

    [Fact]
    public async Task A_table_without_a_primary_key_should_be_refused_with_advice()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (v int)");
        await using var reader = new RowReader(db.Primary);
        var relation = (await db.TargetAsync("t")).Relation;
        (await Should.ThrowAsync<SyncException>(() => ReadAsync(reader, relation, "1"))).Message.ShouldContain("REPLICA IDENTITY FULL");
    }

    [Fact]
    public async Task A_lost_connection_should_be_a_passing_error_and_the_next_read_should_work()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key); insert into t values (1)");
        await using var reader = new RowReader(db.Primary);
        var relation = (await db.TargetAsync("t")).Relation;
        (await ReadAsync(reader, relation, "1")).ShouldBe("(1)");
        await db.SqlAsync("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
        (await Should.ThrowAsync<SyncException>(() => ReadAsync(reader, relation, "1"))).Code.ShouldBe(ExitCode.PostgresUnreachable);
        (await ReadAsync(reader, relation, "1")).ShouldBe("(1)");
    }

    [Fact]
    public async Task A_large_row_should_come_whole()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text); insert into t values (1, repeat(E'\\t\\\\', 2000000)), (2, 'small')");
        await using var reader = new RowReader(db.Primary);
        var relation = (await db.TargetAsync("t")).Relation;
        (await ReadAsync(reader, relation, "1", null))!.Length.ShouldBe(4_000_000 + "(1, )".Length);
        (await ReadAsync(reader, relation, "2", null)).ShouldBe("(2, small)");
    }

    static async Task<string?> ReadAsync(RowReader reader, Relation relation, params string?[] row)
    {
        var cells = new Cell[row.Length];
        var data = new List<byte>();
        for (int i = 0; i < row.Length; i++)
        {
            if (row[i] is not { } value) continue;
            byte[] bytes = System.Text.Encoding.UTF8.GetBytes(value);
            cells[i] = new Cell(CellState.Text, data.Count, bytes.Length);
            data.AddRange(bytes);
        }
        return await reader.ReadAsync(relation, new RowTuple(data.ToArray(), cells)) ? Rendering.Show(reader.Row, relation.Columns.Count) : null;
    }
}

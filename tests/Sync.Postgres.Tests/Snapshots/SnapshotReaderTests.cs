using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Postgres.Snapshots;
using Sync.Testing;

namespace Sync.Postgres.Tests.Snapshots;

[Collection(PostgresCollection.Name)]
public class SnapshotReaderTests(PostgresFixture postgres)
{
    static readonly SnapshotReadOptions plain = new();
    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);

    const string wide = "create table a (id int primary key, v text); insert into a select g, repeat('x', 1000) from generate_series(1, 50000) g; ";
    const string cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'COPY%'";

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Every_row_should_come_exactly_once_from_any_number_of_workers(int workers)
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server,
            "create table t (id int primary key, v text); insert into t select g, repeat('x', 200) from generate_series(1, 20000) g");
        await using var reader = await db.OpenAsync(new SnapshotReadOptions { Workers = workers, RangePages = 50, BatchSize = 300 }, await db.TargetAsync("t"));
        var collector = new Collector();
        var outcome = (await reader.RunAsync(collector, CancellationToken.None)).ShouldHaveSingleItem();
        collector.Rows.Select(r => int.Parse(r.Split(',')[0][1..])).Order().ShouldBe(Enumerable.Range(1, 20_000));
        (outcome.Rows, outcome.Succeeded).ShouldBe((20_000L, true));
        outcome.Bytes.ShouldBeGreaterThan(20_000L * 200);
        collector.Flushes.ShouldBeGreaterThanOrEqualTo(20_000 / 300);
        collector.Ended.ShouldBe([outcome]);
        var progress = reader.Progress().ShouldHaveSingleItem();
        progress.State.ShouldBe(SnapshotState.Done);
        // Before PostgreSQL 14 tables are not read in ranges of pages.
        progress.PagesTotal.ShouldBeInRange(PostgresVersion.Major >= 14 ? 500 : 0, 5000);
        progress.PagesDone.ShouldBe(progress.PagesTotal);
    }

    [Fact]
    public async Task Rows_should_be_those_of_the_snapshot_whatever_happens_afterwards()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text); insert into t values (1, 'old'), (2, 'gone')");
        var (connection, name) = await db.ExportAsync();
        await db.SqlAsync("update t set v = 'new' where id = 1; delete from t where id = 2; insert into t values (3, 'late')");
        var target = await db.TargetAsync("t");
        await using var reader = await SnapshotReader.OpenAsync(db.Primary, name, [target], plain, CancellationToken.None);
        await connection.DisposeAsync();
        var collector = new Collector();
        await reader.RunAsync(collector, CancellationToken.None);
        collector.Rows.Order().ShouldBe(["(1, old)", "(2, gone)"]);
    }

    [Fact]
    public async Task A_snapshot_that_is_gone_should_be_said_clearly()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        var (connection, name) = await db.ExportAsync();
        await connection.DisposeAsync();
        var target = await db.TargetAsync("t");
        var error = await Should.ThrowAsync<SyncException>(() => SnapshotReader.OpenAsync(db.Primary, name, [target], plain, CancellationToken.None));
        error.Message.ShouldContain("begin with a new one");
    }

    [Fact]
    public async Task Partitions_should_arrive_as_their_root_in_its_column_order()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, """
            create table t (id int, region text, v int, primary key (id, region)) partition by list (region);
            create table t_eu partition of t for values in ('eu');
            create table t_rest partition of t default partition by range (id);
            create table t_us (v int, region text not null, id int not null, primary key (id, region));
            alter table t_rest attach partition t_us for values from (0) to (100);
            create table empty (id int primary key) partition by range (id);
            insert into t values (1, 'eu', 10), (2, 'us', 20), (3, 'eu', 30);
            """);
        var (collected, outcomes) = await db.CopyAsync(plain, await db.TargetAsync("t", "t.v < 25"), await db.TargetAsync("empty"));
        collected.Rows.Order().ShouldBe(["(1, eu, 10)", "(2, us, 20)"]);
        outcomes.Select(o => (o.Target.Relation.Name, o.Rows, o.Succeeded)).ShouldBe([("t", 2L, true), ("empty", 0L, true)]);
        collected.Ended.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_privilege_on_the_root_alone_should_be_enough()
    {
        await postgres.Server.ExecuteAsync("drop role if exists reads_root; create role reads_root login");
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, """
            create table t (id int primary key) partition by range (id);
            create table t_1 partition of t for values from (0) to (10);
            create table t_2 partition of t for values from (10) to (20);
            insert into t values (1), (11);
            grant select on t to reads_root;
            create table secret (id int primary key);
            """, "reads_root");
        var (collected, outcomes) = await db.CopyAsync(plain, await db.TargetAsync("t"), await db.TargetAsync("secret"));
        collected.Rows.Order().ShouldBe(["(1)", "(11)"]);
        outcomes[1].Error!.Message.ShouldContain("GRANT SELECT ON \"public\".\"secret\" TO \"reads_root\"");
    }

    [Fact]
    public async Task Rows_of_inheriting_tables_should_stay_out()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server,
            "create table t (id int primary key); create table child () inherits (t); insert into t values (1); insert into child values (2)");
        (await db.CopyAsync(plain, await db.TargetAsync("t"))).Collected.Rows.ShouldBe(["(1)"]);
    }

    [Fact]
    public async Task Query_filter_and_column_list_should_hold_together()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, """
            create table t (id int primary key, v int, twice int generated always as (v * 2) stored, secret text);
            insert into t (id, v, secret) select g, g % 10, 's' from generate_series(1, 100) g
            """);
        var target = await db.TargetAsync("t", "v = 3 or v = 4 -- or any", "id > 50", ["id", "v"]);
        var (collected, _) = await db.CopyAsync(plain, target);
        collected.Rows.Order().ShouldBe(["(53, 3)", "(54, 4)", "(63, 3)", "(64, 4)", "(73, 3)", "(74, 4)", "(83, 3)", "(84, 4)", "(93, 3)", "(94, 4)"]);
        (await db.CopyAsync(plain, await db.TargetAsync("t", "id = 1"))).Collected.Rows.ShouldBe(["(1, 1, s)"], "generated columns are not in the stream either");
    }

    [Fact]
    public async Task A_failing_table_should_be_reported_and_the_others_go_on()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, """
            create table a (id int primary key); create table b (id int primary key); create table c (id int primary key); create table d (id int primary key);
            insert into a select generate_series(1, 10); insert into b select generate_series(1, 10); insert into c select generate_series(1, 10);
            """);
        var dropped = await db.TargetAsync("d");
        await db.SqlAsync("drop table d");
        var (collected, outcomes) = await db.CopyAsync(plain,
            await db.TargetAsync("a"), await db.TargetAsync("b", "no_such_column = 1"), dropped, await db.TargetAsync("c", "1 / (id - 5) < 100"), await db.TargetAsync("a", "id < 3"));
        outcomes.Select(o => o.Succeeded).ShouldBe([true, false, false, false, true]);
        outcomes[1].Error!.Code.ShouldBe(ExitCode.Configuration);
        outcomes[1].Error!.Message.ShouldBe("PostgreSQL refuses the snapshot query of public.b: column \"no_such_column\" does not exist. The query is: no_such_column = 1");
        outcomes[2].Error!.Message.ShouldBe("Table public.d does not exist any more: remove it from the configuration.");
        outcomes[3].Error!.Message.ShouldContain("division by zero");
        outcomes[4].Rows.ShouldBe(2);
        collected.Ended.Count.ShouldBe(5);
    }

    [Fact]
    public async Task AbortOnError_should_end_everything_at_the_first_failure()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table a (id int primary key); create table b (id int primary key); insert into b values (1)");
        var options = plain with { AbortOnError = true };
        var error = await Should.ThrowAsync<SyncException>(async () => await db.CopyAsync(options, await db.TargetAsync("a", "nonsense"), await db.TargetAsync("b")));
        error.Code.ShouldBe(ExitCode.SnapshotAborted);
        error.Message.ShouldContain("public.a");
    }

    [Fact]
    public async Task A_read_beyond_the_time_out_should_fail_its_table_with_the_settings_name()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key); insert into t values (1)");
        var (_, outcomes) = await db.CopyAsync(plain with { QueryTimeout = TimeSpan.FromMilliseconds(100) }, await db.TargetAsync("t", "pg_sleep(20) is not null"));
        outcomes[0].Error!.Message.ShouldBe("Reading public.t took longer than 0.1 s: raise snapshot.queryTimeout, or leave the table out of the snapshot.");
    }

    [Fact]
    public async Task Reading_connections_should_know_no_time_out_of_their_own()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "select 1");
        await using var connection = await db.Primary.OpenReadingAsync();
        connection.CommandTimeout.ShouldBe(0);
    }

    // Seen with locks on one connection only: a worker queued behind the TRUNCATE, which waited for the snapshot.
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_truncate_should_wait_for_the_snapshot_and_not_stop_it(int workers)
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key); insert into t select generate_series(1, 10000)");
        Task truncate;
        await using (var reader = await db.OpenAsync(new SnapshotReadOptions { Workers = workers, RangePages = 5 }, await db.TargetAsync("t")))
        {
            reader.Workers.ShouldBe(PostgresVersion.Major >= 14 ? workers : 1);
            truncate = db.SqlAsync("truncate t");
            await PollAsync(() => db.ScalarAsync<bool>("select exists (select from pg_locks where not granted and relation = 't'::regclass)"));
            var collector = new Collector();
            await reader.RunAsync(collector, CancellationToken.None).WaitAsync(patience);
            collector.Rows.Count().ShouldBe(10_000);
            truncate.IsCompleted.ShouldBeFalse();
        }
        await truncate.WaitAsync(patience);
    }

    [PostgresFact(14)]
    public async Task Workers_that_are_not_to_be_had_should_be_done_without()
    {
        await postgres.Server.ExecuteAsync("drop role if exists limited; create role limited login connection limit 3");
        await using var db = await SnapshotHarness.StartAsync(postgres.Server,
            "create table t (id int primary key); insert into t select generate_series(1, 10000); grant select on t to limited", "limited");
        await using var reader = await db.OpenAsync(new SnapshotReadOptions { Workers = 8, RangePages = 5 }, await db.TargetAsync("t"));
        reader.Workers.ShouldBe(2, "the third connection is the catalog reader's");
        (await reader.RunAsync(new Collector(), CancellationToken.None))[0].Rows.ShouldBe(10_000);
    }

    [Theory]
    [InlineData("alter table t alter v type bigint")]
    [InlineData("truncate t")]
    public async Task A_table_rewritten_before_it_could_be_locked_should_fail_and_not_look_empty(string sql)
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, "create table t (id int primary key, v int); insert into t values (1, 1)");
        var (connection, name) = await db.ExportAsync();
        await using (connection)
        {
            await db.SqlAsync(sql);
            var target = await db.TargetAsync("t");
            await using var reader = await SnapshotReader.OpenAsync(db.Primary, name, [target], plain, CancellationToken.None);
            var outcomes = await reader.RunAsync(new Collector(), CancellationToken.None);
            outcomes[0].Error!.Message.ShouldContain("truncated or rewritten");
        }
    }

    [PostgresFact(14)]
    public async Task A_lost_helper_should_fail_its_table_only()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, wide + "create table b (id int primary key); insert into b values (1)");
        await using var reader = await db.OpenAsync(new SnapshotReadOptions { Workers = 2, RangePages = 500 }, await db.TargetAsync("a"), await db.TargetAsync("b"));
        // The session that keeps the snapshot is the older one of the two with a transaction.
        var cutter = new Cutter(() => db.SqlAsync("""
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and xact_start is not null and application_name = 'actorsync' order by backend_start desc limit 1
            """));
        var outcomes = await reader.RunAsync(cutter, CancellationToken.None);
        outcomes.Select(o => o.Succeeded).ShouldBe([false, true]);
        outcomes[0].Error!.Message.ShouldContain("public.a");
    }

    [Fact]
    public async Task A_lost_snapshot_should_end_everything()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server, wide + "create table b (id int primary key); insert into b values (1)");
        await using var reader = await db.OpenAsync(plain, await db.TargetAsync("a"), await db.TargetAsync("b"));
        var error = await Should.ThrowAsync<SyncException>(() => reader.RunAsync(new Cutter(() => db.SqlAsync(cut)), CancellationToken.None));
        error.Code.ShouldBe(ExitCode.PostgresUnreachable);
        error.Message.ShouldContain("has to begin with a new one");
    }

    [Fact]
    public async Task A_consumers_exception_should_arrive_as_it_is_and_end_the_read_at_once()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server,
            "create table t (id int primary key, v text); insert into t select g, repeat('x', 100) from generate_series(1, 100000) g");
        await using var reader = await db.OpenAsync(new SnapshotReadOptions { Workers = 2, RangePages = 100 }, await db.TargetAsync("t"));
        var error = await Should.ThrowAsync<InvalidDataException>(() => reader.RunAsync(new Cutter(() => throw new InvalidDataException("Redis")), CancellationToken.None));
        error.Message.ShouldBe("Redis");
        reader.Progress()[0].Rows.ShouldBeLessThan(100_000);
    }

    [Fact]
    public async Task Cancellation_should_end_a_waiting_consumer_and_the_server_side()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server,
            "create table t (id int primary key, v text); insert into t select g, repeat('x', 1000) from generate_series(1, 50000) g");
        using var cancel = new CancellationTokenSource();
        await using (var reader = await db.OpenAsync(plain, await db.TargetAsync("t")))
            await Should.ThrowAsync<OperationCanceledException>(() => reader.RunAsync(new Cutter(cancel.CancelAsync), cancel.Token));
        await PollAsync(async () => await db.ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and query like 'COPY%'") == 0);
    }

    [Fact]
    public async Task A_slow_consumer_should_not_fill_the_memory()
    {
        await using var db = await SnapshotHarness.StartAsync(postgres.Server,
            "create table t (id int primary key, v text); insert into t select g, repeat('x', 1000) from generate_series(1, 100000) g");
        await using var reader = await db.OpenAsync(new SnapshotReadOptions { Workers = 2, RangePages = 1000 }, await db.TargetAsync("t"));
        var measure = new Measure();
        await reader.RunAsync(measure, CancellationToken.None);
        measure.Rows.ShouldBe(100_000);
        measure.Growth.ShouldBeLessThan(20_000_000);
    }

    static async Task PollAsync(Func<Task<bool>> condition)
    {
        var deadline = DateTime.UtcNow + patience;
        while (!await condition())
        {
            if (DateTime.UtcNow > deadline) throw new TimeoutException("The condition did not come true in time.");
            await Task.Delay(20);
        }
    }

    /// <summary>Does something at the first flush, then goes on.</summary>
    sealed class Cutter(Func<Task> action) : Collector
    {
        int done;

        public override async ValueTask FlushAsync(int worker, SnapshotTarget target, CancellationToken ct)
        {
            if (Interlocked.Exchange(ref done, 1) == 0) await action();
            ct.ThrowIfCancellationRequested();
        }
    }

    sealed class Measure : ISnapshotConsumer
    {
        long first;
        int flushes;
        public long Growth;
        public int Rows;

        public bool OnRow(int worker, SnapshotTarget target, RowTuple row)
        {
            Interlocked.Increment(ref Rows);
            return false;
        }

        public ValueTask FlushAsync(int worker, SnapshotTarget target, CancellationToken ct)
        {
            if (Interlocked.Increment(ref flushes) % 20 != 0) return default;
            long now = GC.GetTotalMemory(forceFullCollection: true);
            if (first == 0) first = now;
            Growth = Math.Max(Growth, now - first);
            return default;
        }

        public ValueTask TableEndedAsync(SnapshotOutcome outcome, CancellationToken ct) => default;
    }
}

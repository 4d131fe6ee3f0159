using System.Globalization;
using Npgsql;
using Sync.Testing;

namespace Sync.Faults.Load;

/// <summary>
/// Two tables whose rows change all the time, and whose columns, partitions, membership in the publication and very existence change every few
/// seconds. Their keys hold the rows and nothing
/// else, so that whatever happens to the tables, Redis has to become what they are. One session does all of it, in the order of a seed.
/// </summary>
sealed class ShiftingTables(PostgresServer postgres, string database, int seed) : IAsyncDisposable
{
    const int rows = 300, partRows = 100;

    /// <summary>Names of the tables, which are the beginnings of their keys as well.</summary>
    public static readonly string[] Names = ["shape", "part"];

    public const string Sql = """
        create type mood as enum ('sad', 'glad');
        create table shape(id int primary key, n int, a text, b int, m mood);
        create table part(id int primary key, n int, a text) partition by range (id);
        create table part0 partition of part for values from (0) to (100);
        create table part1 partition of part for values from (100) to (200);
        create table part2 partition of part for values from (200) to (300);
        """;

    /// <summary>Completes what a change left half done when an older copy of the data was put back.</summary>
    const string complete = """
        do $$ begin
          if to_regclass('shape') is null then create table shape(id int primary key, n int, a text, b int, m mood); end if;
          if to_regclass('part1') is null then create table part1 partition of part for values from (100) to (200);
          elsif not exists (select from pg_inherits where inhrelid = to_regclass('part1')) then alter table part attach partition part1 for values from (100) to (200); end if;
        end $$
        """;

    /// <summary>The mapping, below <c>tables:</c>.</summary>
    public const string Mapping = """
          - shape:
              commands: [["HSET", "shape:{id}", "{pairs:*}"]]
              truncate: resync
          - part:
              commands: [["HSET", "part:{id}", "{pairs:*}"]]
              truncate: resync
        """;

    readonly Random random = new(seed);
    readonly CancellationTokenSource end = new();
    readonly SemaphoreSlim busy = new(1);
    readonly SortedDictionary<string, int> counts = new(StringComparer.Ordinal);
    Task work = Task.CompletedTask;
    int number;

    /// <summary>How often each change of a table was made.</summary>
    public IReadOnlyDictionary<string, int> Counts => counts;

    public void Start() => work = Task.Run(WorkAsync);

    /// <summary>Waits until the change under way is complete, and lets none begin.</summary>
    public Task PauseAsync() => busy.WaitAsync();

    public void Resume() => busy.Release();

    async Task WorkAsync()
    {
        while (!end.IsCancellationRequested)
        {
            if (!await busy.WaitAsync(100)) continue;
            try
            {
                for (int i = random.Next(3, 15); i > 0; i--) await RunAsync(RowSql());
                await ShiftAsync();
            }
            finally
            {
                busy.Release();
            }
            await Task.Delay(TimeSpan.FromSeconds(0.2 + (3 * random.NextDouble()))).WaitAsync(end.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }

    string RowSql()
    {
        int id = random.Next(rows), value = random.Next(1_000_000);
        string table = Names[random.Next(2)];
        return random.Next(5) == 0
            ? $"delete from {table} where id = {id}"
            : string.Create(CultureInfo.InvariantCulture, $"insert into {table}(id, n) values ({id}, {value}) on conflict (id) do update set n = excluded.n");
    }

    async Task ShiftAsync()
    {
        await CompleteAsync();
        string column = await PickColumnAsync();
        string fresh = string.Create(CultureInfo.InvariantCulture, $"c{++number}");
        (string Name, string[] Steps)[] shifts =
        [
            ("rename a column", [$"alter table shape rename column {column} to {fresh}"]),
            ("drop a column and add one with a default", [$"alter table shape drop column {column}, add column {fresh} text default 'd{number}'"]),
            ("give a column other values", ["alter table shape alter column n type int using n + 1"]),
            ("another type for a column", ["alter table shape alter column n type bigint", "alter table shape alter column n type int using n + 1"]),
            ("drop a table and make it again", ["drop table shape", $"create table shape(id int primary key, n int, a text, b int, m mood); insert into shape select i, {number} from generate_series(1, 60) i"]),
            ("exchange a table", [$"begin; create table next(like shape including all); insert into next select * from shape where id % 3 > 0; drop table shape; alter table next rename to shape; alter index if exists next_pkey rename to shape_pkey; commit"]),
            ("take a table out of the publication", ["alter publication pub drop table shape", $"update shape set n = {number}; delete from shape where id < 20; insert into shape(id, n) values (5, {number})"]),
            ("take a table out and add it", ["alter publication pub drop table shape", $"update shape set n = -{number}", "alter publication pub add table shape"]),
            ("detach and attach a partition", ["alter table part detach partition part1", $"delete from part1 where id < 120; update part1 set n = {number}", "alter table part attach partition part1 for values from (100) to (200)"]),
            ("truncate a partition", ["truncate part2"]),
            ("drop a partition and make it again", ["drop table part1", "create table part1 partition of part for values from (100) to (200)"]),
            ("rename a value of an enum", [$"update shape set m = (enum_range(null::mood))[1 + id % 2] where id % 5 = 0", $"alter type mood rename value '{await MoodAsync()}' to '{fresh}'"]),
            ("truncate a table", ["truncate shape"]),
            ("vacuum in full", ["vacuum full shape"]),
        ];
        var (name, steps) = shifts[random.Next(shifts.Length)];
        foreach (string step in steps)
        {
            // What PostgreSQL refuses or loses is tried until it holds: half of a change would leave the tables in a state that the others don't expect.
            while (!await RunAsync(step) && !end.IsCancellationRequested) await Task.Delay(200);
            if (steps.Length > 1) await Task.Delay(TimeSpan.FromSeconds(2.5 * random.NextDouble()));
        }
        counts[name] = counts.GetValueOrDefault(name) + 1;
        for (int i = partRows / 10; i > 0; i--) await RunAsync(RowSql());
    }

    /// <summary>Until it holds: a table that is not there could not be compared.</summary>
    public async Task CompleteAsync()
    {
        while (!await RunAsync(complete) && !end.IsCancellationRequested) await Task.Delay(200);
    }

    async Task<string> PickColumnAsync() =>
        await ScalarAsync("select quote_ident(attname) from pg_attribute where attrelid = to_regclass('shape') and attnum > 0 and not attisdropped and attname not in ('id', 'n', 'm') order by random() limit 1") ?? "b";

    async Task<string> MoodAsync() => await ScalarAsync("select enumlabel::text from pg_enum where enumtypid = 'mood'::regtype order by enumsortorder limit 1") ?? "sad";

    async Task<string?> ScalarAsync(string sql)
    {
        while (!end.IsCancellationRequested)
        {
            try { return await postgres.ScalarAsync<string>(sql, database); }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException) { await Task.Delay(200); }
        }
        return null;
    }

    /// <summary>
    /// Whether it holds: done now, found done by an earlier attempt whose answer was lost, or not to be done any more, because an older copy of the
    /// data was put back meanwhile. What passes is tried again: a server that ends, starts, or is busy.
    /// </summary>
    async Task<bool> RunAsync(string sql)
    {
        try
        {
            await postgres.ExecuteAsync(sql, database);
            return true;
        }
        catch (PostgresException e) when (e.SqlState[..2] is not ("08" or "40" or "53" or "57") && e.SqlState != PostgresErrorCodes.LockNotAvailable)
        {
            return true;
        }
        catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        await work;
        end.Dispose();
    }
}

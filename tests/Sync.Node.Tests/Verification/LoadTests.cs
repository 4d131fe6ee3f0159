using System.Diagnostics;
using Npgsql;
using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Verification;

/// <summary>A writer changes rows all the time: no false alarm, and what is really wrong is found all the same.</summary>
[Collection(VerificationCollection.Name)]
[Trait("Speed", "Slow")]
public class LoadTests(Servers servers)
{
    const string Schema = """
        create table hot(id int primary key, n int, status text, note text);
        alter table hot replica identity full;
        create table pair(a text, b int, n int, primary key (a, b));
        alter table pair replica identity full;
        create table calm(id int primary key, note text);
        insert into hot select i, 0, 's' || i % 5, 'x' from generate_series(1, 300) i;
        insert into pair select 'a' || i % 7, i, 0 from generate_series(1, 200) i;
        insert into calm select i, 'c' || i from generate_series(1, 500) i;
        """;

    const string Tables = """
          - hot:
              commands:
                - ["HSET", "hot:{id}", "{pairs:*}"]
                - ["SET", "json:{id}", "{json:*}"]
                - ["SADD", "status:{status}", "{id}"]
                - ["ZADD", "rank", "{n}", "{id}"]
                - command: ["SET", "odd:{id}", "{n}"]
                  condition: { column: status, op: in, values: [s1, s3] }
                - command: ["DEL", "odd:{id}"]
                  condition: { column: status, op: not_in, values: [s1, s3] }
          - pair:
              commands: [["HSET", "pair:{%pk%}", "{pairs:*}"], ["HSET", "pairs:{a}", "{b}", "{n}"]]
          - calm
        """;

    [Fact]
    public async Task Load_should_give_no_false_alarm_and_hide_no_drift()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        using var stop = new CancellationTokenSource();
        Task[] writers = [.. Enumerable.Range(1, 3).Select(seed => Task.Run(() => WriteAsync(pipeline.Database, seed, stop.Token)))];
        try
        {
            long rows = 0;
            for (var watch = Stopwatch.StartNew(); watch.Elapsed < TimeSpan.FromSeconds(10);)
            {
                var report = await pipeline.VerifyAsync();
                report.ShouldHaveNoDrift();
                rows += report.Tables.Sum(t => t.Rows);
            }
            rows.ShouldBeGreaterThan(500);

            await pipeline.RedisAsync("HSET", "public.calm:7", "note", "wrong");
            await pipeline.RedisAsync("SET", "json:7777", "nobody's");
            await pipeline.RedisAsync("DEL", "public.calm:8");
            var found = await pipeline.VerifyAsync();
            found.Differences().Where(d => !d.StartsWith("unsettled", StringComparison.Ordinal)).ShouldBe([
                "different public.calm:7: field note should be c7, is wrong", "extra json:7777: no row leads to it", "missing public.calm:8: no such key",
            ]);
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(writers);
        }
        await pipeline.RedisAsync("HSET", "public.calm:7", "note", "c7");
        await pipeline.RedisAsync("HSET", "public.calm:8", "id", "8", "note", "c8");
        await pipeline.RedisAsync("DEL", "json:7777");
        await pipeline.CaughtUpAsync();
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    async Task WriteAsync(string database, int seed, CancellationToken stop)
    {
        var random = new Random(seed);
        await using var connection = await servers.Postgres.OpenAsync(database);
        // Also commits that return before they are on disk: Redis gets those later than queries see them.
        await using (var mode = new NpgsqlCommand($"set synchronous_commit = {(seed == 1 ? "off" : "on")}; set deadlock_timeout = '50ms'", connection)) await mode.ExecuteNonQueryAsync(CancellationToken.None);
        while (!stop.IsCancellationRequested)
        {
            int id = random.Next(1, 320), other = random.Next(1, 320);
            string sql = random.Next(7) switch
            {
                0 => $"delete from hot where id = {id}",
                1 => $"insert into hot values ({id}, {other}, 's{other % 5}', null) on conflict (id) do update set n = excluded.n, status = excluded.status",
                2 => $"update hot set id = {other} where id = {id} and not exists (select from hot where id = {other})",
                3 => $"update hot set n = n + 1, note = {(id % 3 == 0 ? "null" : "'y'")} where id between {id} and {id + 20}",
                4 => $"delete from pair where b = {id}",
                5 => $"insert into pair values ('a{other % 7}', {id}, 1) on conflict (a, b) do update set n = pair.n + 1",
                _ => $"update pair set n = n + 1 where a = 'a{id % 7}'",
            };
            // A pace that a busy machine keeps up with; without it the test would measure how far the node falls behind.
            await Task.Delay(random.Next(8), CancellationToken.None);
            await using var command = new NpgsqlCommand(sql, connection);
            try { await command.ExecuteNonQueryAsync(CancellationToken.None); }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DeadlockDetected) { /* Two writers met. */ }
        }
    }
}

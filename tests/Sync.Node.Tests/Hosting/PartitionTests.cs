using Sync.Testing;

namespace Sync.Node.Tests.Hosting;

[Collection(ServersCollection.Name)]
public class PartitionTests(Servers servers)
{
    const string Schema = """
        create table m(id int, day date, v text, primary key (id, day)) partition by range (day);
        create table m1 partition of m for values from ('2024-01-01') to ('2024-02-01');
        create table m2 partition of m for values from ('2024-02-01') to ('2024-03-01') partition by list (id);
        create table m2a partition of m2 for values in (1, 2, 3);
        create table m2b partition of m2 default;
        insert into m values (1, '2024-01-05', 'a'), (1, '2024-02-05', 'b'), (9, '2024-02-06', 'c');
        """;

    const string Expected = """select format('m:%s:%s = {day=%s, id=%s, v=%s}', id, day, day, id, v) from m """;

    [PostgresFact(15)]
    public async Task A_partitioned_table_should_be_one_table()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, """
              - m:
                  commands: [["HSET", "m:{id}:{day}", "{pairs:*}"]]
                  truncate: resync
            """);
        (await pipeline.ContentAsync()).ShouldBe(await pipeline.LinesAsync(Expected));
        await pipeline.SqlAsync("insert into m values (2, '2024-02-07', 'd'); insert into m1 values (3, '2024-01-08', 'e'); update m set v = 'f' where id = 9; update m2 set id = 2 where id = 9");
        await pipeline.SqlAsync("update m set day = '2024-02-20' where id = 3; delete from m2b; delete from m1 where id = 1");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(await pipeline.LinesAsync(Expected));

        // A partition whose columns stand in another order, with one that was dropped, still speaks as its root.
        await pipeline.SqlAsync("create table m3(v text, gone int, day date not null, id int not null, primary key (id, day)); alter table m3 drop column gone; insert into m3 values ('before', '2024-03-01', 30)");
        await pipeline.SqlAsync("alter table m attach partition m3 for values from ('2024-03-01') to ('2024-04-01'); insert into m values (31, '2024-03-02', 'g'); update m3 set v = 'seen' where id = 30; update m set day = '2024-01-31' where id = 31");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(await pipeline.LinesAsync(Expected));

        await pipeline.SqlAsync("alter table m detach partition m1; insert into m1 values (77, '2024-01-09', 'alone'); insert into m values (32, '2024-03-03', 'h')");
        await pipeline.CaughtUpAsync();
        var content = await pipeline.ContentAsync();
        content.ShouldNotContain(l => l.Contains("alone"));
        foreach (string line in await pipeline.LinesAsync(Expected)) content.ShouldContain(line);

        await pipeline.SqlAsync("truncate m; insert into m values (33, '2024-03-04', 'i')");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["m:33:2024-03-04 = {day=2024-03-04, id=33, v=i}"]);
    }

    const string Orders = """
        create table o(id int, status text, amount numeric, primary key (id, status)) partition by list (status);
        create table o_open partition of o for values in ('open');
        create table o_done partition of o for values in ('done');
        alter table o replica identity full;
        """;

    const string Sums = """
          - o:
              commands: [["SADD", "o:{status}", "{id}"], ["INCRBYFLOAT", "o:sum", "{diff:amount}"]]
        """;

    [Fact]
    public async Task A_replica_identity_that_partitions_lack_should_be_told_with_what_helps()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Orders, Sums);
        pipeline.Log.ShouldContain(l => l.StartsWith("Warning", StringComparison.Ordinal)
            && l.Contains("ALTER TABLE public.o_open REPLICA IDENTITY FULL; ALTER TABLE public.o_done REPLICA IDENTITY FULL"));
        await pipeline.SqlAsync("insert into o values (1, 'open', 10), (2, 'open', 20); update o set amount = 15 where id = 1; delete from o where id = 2");
        await pipeline.CaughtUpAsync();
        pipeline.Log.ShouldContain(l => l.StartsWith("Warning: public.o: a command needs an old value", StringComparison.Ordinal));
        (await pipeline.ContentAsync()).ShouldContain("o:open = (1)", "the set rests on the key, which is sent");

        // One by one, until none lacks it.
        await pipeline.SqlAsync("alter table o_open replica identity full; insert into o values (3, 'open', 1)");
        await pipeline.CaughtUpAsync();
        pipeline.Log.ShouldContain(l => l.Contains("run ALTER TABLE public.o_done REPLICA IDENTITY FULL"));
    }

    [Fact]
    public async Task Partitions_that_send_whole_old_rows_should_count_right_and_a_later_one_be_told()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Orders + "alter table o_open replica identity full; alter table o_done replica identity full", Sums);
        pipeline.Log.ShouldNotContain(l => l.Contains("REPLICA IDENTITY FULL"));
        await pipeline.SqlAsync("insert into o values (1, 'open', 10), (2, 'open', 20), (3, 'open', 5); update o set amount = 15 where id = 1; update o set status = 'done' where id = 3; delete from o where id = 2");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["o:done = (3)", "o:open = (1)", "o:sum = 20"]);

        await pipeline.SqlAsync("create table o_new partition of o for values in ('new'); insert into o values (9, 'new', 1)");
        await pipeline.CaughtUpAsync();
        pipeline.Log.ShouldContain(l => l.Contains("partition public.o_new leaves them out"), "before any old value is needed");
    }

    [Fact]
    public async Task Differences_without_an_old_value_should_be_parked_where_that_is_asked_for()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Orders, Sums + "\n      onUnknownOldValue: park");
        await pipeline.SqlAsync("insert into o values (1, 'open', 10), (2, 'open', 20); update o set amount = 15 where id = 1");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldContain("o:sum = 30");
        pipeline.Host.Status.DeadLetters.ShouldBe(1);
    }
}

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

    [Fact]
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
}

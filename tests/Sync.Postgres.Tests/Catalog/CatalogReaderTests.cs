using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Postgres.Catalog;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Tests.Catalog;

[Collection(PostgresCollection.Name)]
public class CatalogReaderTests(PostgresFixture fixture)
{
    static TableName Public(string name) => new("public", name);

    static string[] Identity(TableFacts table) => [.. table.Columns.Where(c => c.InIdentity).Select(c => c.Name)];

    [Fact]
    public async Task Facts_should_hold_columns_and_the_key_in_the_order_of_its_index()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create table lines (note text, line int, gone int, order_id bigint, twice int generated always as (line * 2) stored,
                                primary key (order_id, line) include (note));
            alter table lines drop column gone;
            insert into lines select 'x', g, g from generate_series(1, 1000) g;
            analyze lines
            """);
        var table = await new CatalogReader(database.Source).ReadAsync(Public("lines"));
        table.Columns.Select(c => (c.Name, c.Number, c.Type.Kind, c.NotNull, c.Generated)).ShouldBe([
            ("note", (short)1, ValueKind.Text, false, false), ("line", (short)2, ValueKind.Integer, true, false),
            ("order_id", (short)4, ValueKind.Integer, true, false), ("twice", (short)5, ValueKind.Integer, false, true),
        ]);
        table.PrimaryKey.ShouldBe([2, 1]);
        Identity(table).ShouldBe(["line", "order_id"]);
        (table.Kind, table.IsPartition, table.IsPermanent, table.Identity, table.EstimatedRows)
            .ShouldBe((TableKind.Table, false, true, ReplicaIdentity.Default, 1000));
        table.Pages.ShouldBe(await database.ScalarAsync<long>("select pg_relation_size('lines') / 8192"));
        table.Bytes.ShouldBe(await database.ScalarAsync<long>("select pg_table_size('lines')"));

        var relation = table.ToRelation();
        relation.Columns.Select(c => c.Name).ShouldBe(["note", "line", "order_id"]);
        relation.PrimaryKey.ShouldBe([2, 1]);
        table.ToRelation(["line", "order_id"]).PrimaryKey.ShouldBe([1, 0]);
        table.ToRelation(["line"]).PrimaryKey.ShouldBeEmpty();
    }

    [Fact]
    public async Task Identity_should_follow_the_replica_identity()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create table by_key (a int primary key, b int);
            create table by_index (a int primary key, b int not null, c int not null);
            create unique index by_index_cb on by_index (c, b);
            alter table by_index replica identity using index by_index_cb;
            create table by_all (a int, b int); alter table by_all replica identity full;
            create table by_none (a int primary key, b int); alter table by_none replica identity nothing;
            create table keyless (a int, b int);
            create table deferred (a int primary key deferrable, b int)
            """);
        string[] names = ["by_key", "by_index", "by_all", "by_none", "keyless", "deferred"];
        var tables = await new CatalogReader(database.Source).ReadAsync([.. names.Select(Public)]);
        string.Join(" ", names.Select(n => $"{n}:{string.Join(",", Identity(tables[Public(n)]))}"))
            .ShouldBe("by_key:a by_index:b,c by_all:a,b by_none: keyless: deferred:");
        tables[Public("deferred")].PrimaryKey.ShouldBe([0]);
        tables[Public("keyless")].HasIdentity.ShouldBeFalse();
        tables[Public("by_all")].HasIdentity.ShouldBeTrue();
    }

    [Fact]
    public async Task List_should_offer_only_what_can_be_published()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create schema "Odd name"; create table "Odd name"."Tab le" (id int primary key);
            create table measures (at date, v int, primary key (at, v)) partition by range (at);
            create table measures_1 partition of measures for values from ('2020-01-01') to ('2021-01-01');
            create table measures_2 partition of measures for values from ('2021-01-01') to ('2022-01-01') partition by list (v);
            create table measures_2a partition of measures_2 default;
            insert into measures values ('2020-05-05', 1), ('2021-05-05', 1), ('2021-05-05', 2);
            create view v as select 1; create unlogged table fast (id int); create table never_analyzed (id int);
            analyze measures_1; analyze measures_2a
            """);
        var reader = new CatalogReader(database.Source);
        var tables = await reader.ListTablesAsync();
        tables.Select(t => t.Name.ToString()).ShouldBe(["Odd name.Tab le", "public.measures", "public.never_analyzed"]);
        tables[1].Kind.ShouldBe(TableKind.Partitioned);
        tables[1].EstimatedRows.ShouldBe(3);
        tables[1].Bytes.ShouldBe(await database.ScalarAsync<long>("select (pg_table_size('measures_1') + pg_table_size('measures_2a'))::int8"));
        tables[2].EstimatedRows.ShouldBeNull();

        (await reader.ReadPartitionsAsync(tables[1].Oid)).Select(t => t.Name.Name).ShouldBe(["measures_1", "measures_2a"]);
        (await reader.ReadPartitionsAsync(tables[2].Oid)).ShouldBeEmpty();
        (await reader.ReadAsync(Public("measures_1"))).IsPartition.ShouldBeTrue();
        (await reader.ReadAsync(Public("v"))).Kind.ShouldBe(TableKind.View);
        (await reader.ReadAsync(Public("fast"))).IsPermanent.ShouldBeFalse();
    }

    [Fact]
    public async Task Missing_table_should_be_named()
    {
        await using var database = await Database.CreateAsync(fixture.Server);
        var error = await Should.ThrowAsync<SyncException>(() => new CatalogReader(database.Source).ReadAsync(Public("nowhere")));
        error.Code.ShouldBe(ExitCode.Schema);
        error.Message.ShouldContain("public.nowhere");
    }

    [Fact]
    public async Task Relation_should_be_completed_from_the_catalog_and_survive_its_changes()
    {
        await using var database = await Database.CreateAsync(fixture.Server,
            "create domain cents as bigint; create table t (x int, price cents, y int, primary key (y, x))");
        var reader = new CatalogReader(database.Source);
        uint oid = await database.ScalarAsync<uint>("select 't'::regclass::oid"), cents = await database.ScalarAsync<uint>("select 'cents'::regtype::oid");
        var decoded = new DecodedRelation(oid, "public", "t", ReplicaIdentity.Default, [new("x", 23, true), new("price", cents, false), new("y", 23, true)]);

        var relation = await reader.CompleteAsync(decoded);
        relation.PrimaryKey.ShouldBe([2, 0]);
        relation.Columns.Select(c => (c.Type.Kind, c.InIdentity)).ShouldBe([(ValueKind.Integer, true), (ValueKind.Integer, false), (ValueKind.Integer, true)]);

        await database.ExecuteAsync("alter table t rename column x to z");
        (await reader.CompleteAsync(decoded)).PrimaryKey.ShouldBe([2, 0], "a new name changes nothing in the order of the index");

        await database.ExecuteAsync("drop table t");
        (await reader.CompleteAsync(decoded)).PrimaryKey.ShouldBe([0, 2]);
    }
}

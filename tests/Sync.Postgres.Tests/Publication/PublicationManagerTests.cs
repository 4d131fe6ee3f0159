using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Postgres.Catalog;
using Sync.Postgres.Publication;
using Sync.Testing;

namespace Sync.Postgres.Tests.Publication;

[Collection(PostgresCollection.Name)]
public class PublicationManagerTests(PostgresFixture fixture)
{
    const string TwoTables = "create table a (id int primary key, v text); create table b (id int primary key, v text)";
    static readonly ReplicationOptions app = new() { Pub = "pub", Slot = "slot" };
    static readonly ReplicationOptions user = app with { Owner = ReplicationOwner.User };

    static TableName Public(string name) => new("public", name);

    static Task<PublicationReport> EnsureAsync(Database database, ReplicationOptions options, params string[] tables) =>
        new PublicationManager(database.Primary, new CatalogReader(database.Source)).EnsureAsync(options, [.. tables.Select(Public)]);

    static TableConfig Table(string name, bool withoutIdentity = false) => new() { Schema = "public", Name = name, Position = default, PublishWithoutIdentity = withoutIdentity };

    static Task<PublicationReview> ReviewAsync(Database database, ReplicationOptions options, params TableConfig[] tables) =>
        new PublicationManager(database.Primary, new CatalogReader(database.Source)).ReviewAsync(options, tables);

    static async Task<SyncException> FailAsync(Database database, ReplicationOptions options, params string[] tables) =>
        await Should.ThrowAsync<SyncException>(() => EnsureAsync(database, options, tables));

    static Task<string?> PublishedAsync(Database database) =>
        database.ScalarAsync<string>("select string_agg(tablename, ' ' order by tablename) from pg_publication_tables where pubname = 'pub'");

    static Task<string?> SettingsAsync(Database database) =>
        database.ScalarAsync<string>("select concat_ws(' ', pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot) from pg_publication where"
            + " pubname = 'pub'");

    [Fact]
    public async Task App_should_create_the_publication_and_follow_the_configuration()
    {
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables + "; create table c (id int primary key)");
        var created = await EnsureAsync(database, app, "a", "b");
        created.Created.ShouldBeTrue();
        created.Changes.ShouldBe(["Publication pub created for public.a, public.b."]);
        created.Warnings.ShouldBeEmpty();
        created.Tables[Public("a")].Columns.ShouldBe(["id", "v"]);
        (await PublishedAsync(database)).ShouldBe("a b");
        (await SettingsAsync(database)).ShouldBe("t t t t t");

        var same = await EnsureAsync(database, app, "a", "b");
        (same.Created, same.Changes.Count).ShouldBe((false, 0));

        var altered = await EnsureAsync(database, app, "a", "c");
        altered.Changes.ShouldBe(["Publication pub: public.b removed, not configured any more.", "Publication pub: public.c added."]);
        (await PublishedAsync(database)).ShouldBe("a c");

        await database.ExecuteAsync("alter publication pub set (publish = 'insert')");
        (await EnsureAsync(database, app, "a", "c")).Warnings.ShouldBeEmpty();
        (await SettingsAsync(database)).ShouldBe("t t t t t");
    }

    [Fact]
    public async Task App_should_take_nothing_from_a_publication_of_somebody_else()
    {
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables + "; create publication pub for table a with (publish ="
            + " 'insert, update')");
        var report = await EnsureAsync(database, app, "b");
        report.Changes.ShouldBe(["Publication pub: publish_via_partition_root set.", "Publication pub: public.b added."]);
        (await PublishedAsync(database)).ShouldBe("a b");
        (await SettingsAsync(database)).ShouldBe("t t f f t");
        report.Warnings.Count.ShouldBe(2);
        report.Warnings[0].ShouldContain("does not publish delete");
    }

    [Fact]
    public async Task App_should_leave_a_publication_for_all_tables_alone()
    {
        await using var database = await Database.CreateAsync(fixture.Server,
            "create table p (id int primary key) partition by hash (id); create publication pub for all tables");
        var report = await EnsureAsync(database, app, "p");
        report.Changes.ShouldBeEmpty();
        report.Warnings.ShouldHaveSingleItem().ShouldContain("ALTER PUBLICATION \"pub\" SET (publish_via_partition_root = true)");
    }

    [Fact]
    public async Task Check_should_tell_the_changes_and_make_none()
    {
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables);
        var manager = new PublicationManager(database.Primary, new CatalogReader(database.Source));
        var review = await manager.ReviewAsync(app, [Table("a"), Table("nowhere")]);
        review.Changes.ShouldHaveSingleItem();
        review.Tables[Public("a")].Columns.ShouldBe(["id", "v"]);
        review.Refused.ShouldHaveSingleItem().Value.Message.ShouldContain("Table public.nowhere does not exist");
        (review.Needs.Creates, review.Needs.Adds.Single()).ShouldBe((true, Public("a")));
        (await SettingsAsync(database)).ShouldBeNull();
    }

    [Fact]
    public async Task User_should_be_told_what_to_run()
    {
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables);
        var none = await FailAsync(database, user, "a");
        none.Code.ShouldBe(ExitCode.Publication);
        none.Message.ShouldContain("Publication pub does not exist: run CREATE PUBLICATION \"pub\" FOR TABLE ONLY \"public\".\"a\" WITH (");

        // The statements that the messages name must themselves work.
        await database.ExecuteAsync(none.Message[(none.Message.IndexOf("CREATE", StringComparison.Ordinal))..none.Message.IndexOf(", or"
            + " set", StringComparison.Ordinal)]);
        var missing = await FailAsync(database, user, "a", "b");
        missing.Code.ShouldBe(ExitCode.Publication);
        missing.Message.ShouldStartWith("public.b is not in publication pub: run ALTER PUBLICATION");
        await database.ExecuteAsync(missing.Message[missing.Message.IndexOf("ALTER", StringComparison.Ordinal)..].TrimEnd('.'));
        (await EnsureAsync(database, user, "a", "b")).Changes.ShouldBeEmpty();
    }

    [Fact]
    public async Task User_should_be_warned_of_what_is_not_published()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create table p (id int primary key) partition by range (id); create table p1 partition of p default;
            create publication pub for table p with (publish = 'insert, update, delete')
            """);
        var report = await EnsureAsync(database, user, "p");
        report.Warnings.Count.ShouldBe(2);
        report.Warnings[0].ShouldContain("does not publish truncate");
        report.Warnings[1].ShouldContain("publish_via_partition_root = true");
        report.Tables[Public("p")].Columns.ShouldBe(["id"]);
        (await EnsureAsync(database, user, "p1")).Warnings.ShouldHaveSingleItem();
    }

    [PostgresFact(15)]
    public async Task Schema_wide_publication_should_count_for_its_tables()
    {
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables + "; create publication pub for tables in schema public");
        (await EnsureAsync(database, user, "a", "b")).Warnings.ShouldBeEmpty();
        (await EnsureAsync(database, app, "a")).Changes.ShouldBe(["Publication pub: publish_via_partition_root set."]);
    }

    [PostgresFact(15)]
    public async Task Column_list_and_row_filter_should_be_reported()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create table a (id int primary key, v text, secret text, twice int generated always as (id * 2) stored);
            create table b (id int primary key, twice int generated always as (id * 2) stored);
            create publication pub for table a (v, id) where (id > 10), b
            """);
        var tables = (await EnsureAsync(database, user, "a", "b")).Tables;
        tables[Public("a")].Columns.ShouldBe(["id", "v"]);
        tables[Public("a")].RowFilter.ShouldBe("(id > 10)");
        tables[Public("b")].Columns.ShouldBe(["id"]);
        tables[Public("b")].RowFilter.ShouldBeNull();
    }

    [Fact]
    public async Task Partition_of_a_published_root_should_be_refused()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create table p (id int primary key) partition by range (id);
            create table p1 partition of p for values from (0) to (10) partition by range (id); create table p1a partition of p1 default
            """);
        var error = await FailAsync(database, app, "p", "p1a");
        error.Code.ShouldBe(ExitCode.Publication);
        error.Message.ShouldContain("Table public.p1a is a partition of public.p");
        (await SettingsAsync(database)).ShouldBeNull();

        (await EnsureAsync(database, app, "p1a")).Created.ShouldBeTrue();
        (await FailAsync(database, app, "p1a", "p1")).Message.ShouldContain("partition of public.p1,");
        (await EnsureAsync(database, app, "p")).Changes.Count.ShouldBe(2);
        (await FailAsync(database, user, "p1a")).Code.ShouldBe(ExitCode.Publication);
        (await PublishedAsync(database)).ShouldBe("p");
    }

    [Fact]
    public async Task Table_that_is_missing_or_none_should_be_named()
    {
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables + "; create view v as select 1; create unlogged table u (id int)");
        var missing = await FailAsync(database, app, "a", "nowhere");
        missing.Code.ShouldBe(ExitCode.Schema);
        missing.Message.ShouldContain($"Table public.nowhere does not exist in database {database.Name}");
        (await FailAsync(database, app, "v")).Message.ShouldContain("public.v is a view");
        (await FailAsync(database, app, "u")).Message.ShouldContain("SET LOGGED");
        (await FailAsync(database, app)).Code.ShouldBe(ExitCode.Configuration);
    }

    [Fact]
    public async Task Table_without_identity_should_be_warned_of()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create table keyless (id int)");
        (await EnsureAsync(database, app, "keyless")).Warnings.ShouldHaveSingleItem().ShouldContain("REPLICA IDENTITY FULL");
    }

    [Fact]
    public async Task Table_whose_writes_would_fail_should_be_refused_unless_told_by_name()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create table a (id int primary key); create table keyless (id int); create table none (id int primary key); alter table none replica identity nothing;
            create table p (id int) partition by list (id); alter table p replica identity full; create table p1 partition of p for values in (1)
            """);
        var review = await ReviewAsync(database, app, Table("a"), Table("keyless"), Table("none"), Table("p"));
        review.Refused.Keys.ShouldBe([Public("keyless"), Public("none"), Public("p")], ignoreOrder: true);
        review.Refused[Public("keyless")].Message.ShouldContain("REPLICA IDENTITY FULL, or set publishWithoutIdentity: true");
        review.Refused[Public("p")].Message.ShouldStartWith("Partition public.p1 of public.p has no replica identity");
        review.Needs.Adds.ShouldBe([Public("a")]);
        (await ReviewAsync(database, app, Table("keyless", withoutIdentity: true))).Refused.ShouldBeEmpty();

        // What is published already does no new harm, and neither does a publication of inserts.
        await database.ExecuteAsync("create publication pub for table keyless");
        (await ReviewAsync(database, app, Table("keyless"), Table("a"))).Refused.ShouldBeEmpty();
        (await ReviewAsync(database, user, Table("keyless"), Table("a"))).Refused.Keys.ShouldBe([Public("a")]);
        await database.ExecuteAsync("drop publication pub; create publication pub with (publish = 'insert')");
        (await ReviewAsync(database, app, Table("none"))).Refused.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(15, false, ReplicaIdentity.Default, false)]
    [InlineData(17, false, ReplicaIdentity.Full, false)]
    [InlineData(18, false, ReplicaIdentity.Default, true)]
    [InlineData(18, false, ReplicaIdentity.Full, true)]
    [InlineData(18, true, ReplicaIdentity.Default, false)]
    public void Generated_identity_should_be_refused_where_PostgreSQL_refuses_the_writes(int major, bool sendsGenerated, ReplicaIdentity identity, bool refused)
    {
        var table = new TableFacts
        {
            Oid = 1,
            Name = Public("g"),
            Kind = TableKind.Table,
            IsPartition = false,
            IsPermanent = true,
            Identity = identity,
            Columns =
            [
                new ColumnFacts("v", 1, 23, ColumnType.Text, NotNull: true, Generated: false, InIdentity: identity == ReplicaIdentity.Full),
                new ColumnFacts("id", 2, 23, ColumnType.Text, NotNull: true, Generated: true, InIdentity: true),
            ],
            PrimaryKey = [1],
            EstimatedRows = null,
            Pages = 0,
            Bytes = 0,
        };
        var state = new PublicationState { Name = "pub", Operations = new HashSet<string> { "update" }, SendsGenerated = sendsGenerated };
        var refusals = PublicationPlan.FindRefusals(state, app, [new ConfiguredTable(table, [])], major);
        refusals.Count.ShouldBe(refused ? 1 : 0);
        if (refused) refusals.Values.Single().Message.ShouldContain("the generated column id in its replica identity");
        PublicationPlan.FindRefusals(state, app, [new ConfiguredTable(table, []) { PublishWithoutIdentity = true }], major).ShouldBeEmpty();
    }

    [Fact]
    public async Task Refused_table_should_stay_in_the_publication_if_it_is_there()
    {
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables);
        await EnsureAsync(database, app, "a", "b");
        var manager = new PublicationManager(database.Primary, new CatalogReader(database.Source));
        (await manager.EnsureAsync(app, [Public("a")], new HashSet<TableName> { Public("b") })).Changes.ShouldBeEmpty();
        (await PublishedAsync(database)).ShouldBe("a b");
    }

    [Fact]
    public async Task Missing_privilege_should_name_the_grant()
    {
        await fixture.Server.ExecuteAsync("create role weak login");
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables, "weak");
        var create = await FailAsync(database, app, "a");
        create.Code.ShouldBe(ExitCode.Schema);
        create.Message.ShouldContain($"GRANT CREATE ON DATABASE \"{database.Name}\" TO \"weak\"");
        create.Message.ShouldContain("postgres.repl.owner: user");

        await database.ExecuteAsync("create publication pub for table a");
        (await EnsureAsync(database, user, "a")).Warnings.ShouldBeEmpty();
        (await FailAsync(database, app, "a", "b")).Code.ShouldBe(ExitCode.Schema);
    }

    [Fact]
    public async Task Names_should_be_quoted()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create schema \"s \"\" t\"; create table \"s \"\" t\".\"User\" (id int"
            + " primary key)");
        var name = new TableName("s \" t", "User");
        var manager = new PublicationManager(database.Primary, new CatalogReader(database.Source));
        (await manager.EnsureAsync(app with { Pub = "p; \"x\"" }, [name])).Created.ShouldBeTrue();
        (await manager.EnsureAsync(user with { Pub = "p; \"x\"" }, [name])).Tables[name].Columns.ShouldBe(["id"]);
    }

    [Fact]
    public async Task Nodes_that_start_together_should_agree()
    {
        await using var database = await Database.CreateAsync(fixture.Server, TwoTables);
        for (int round = 0; round < 10; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => EnsureAsync(database, app, "a")));
            var reports = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => EnsureAsync(database, app, "a", "b")));
            reports.ShouldAllBe(r => r.Tables.Count == 2);
            (await PublishedAsync(database)).ShouldBe("a b");
            if (round % 2 == 0) await database.ExecuteAsync("drop publication pub");
        }
    }
}

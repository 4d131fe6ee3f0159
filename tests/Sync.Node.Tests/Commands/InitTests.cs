using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Node.Tests.Commands;

[Collection(CommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class InitTests(CommandServers servers)
{
    const string Schema = """"
        create table orders (id bigint primary key, customer int not null, note text, attributes jsonb);
        create table "Order.Lines" (order_id bigint, line int, primary key (order_id, line));
        create table "odd {name}: # 'quoted' ""double""" (id int primary key);
        create table log (at timestamptz, line text);
        create schema sales;
        create table sales.regions (code text primary key);
        create table parts (id int, day date, primary key (id, day)) partition by range (day);
        create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01');
        create unlogged table scratch (id int primary key);
        create view v as select * from orders;
        insert into orders select n, n, 'x' from generate_series(1, 1234) n;
        analyze;
        """";

    string[] Arguments(Workplace place, params string[] more) =>
    [
        "init", "--host", "127.0.0.1", "--port", $"{servers.Postgres.Port}", "--database", place.Database, "--user", "postgres",
        "--redis", $"127.0.0.1:{servers.Redis.Port}", .. more,
    ];

    [Fact]
    public async Task Starter_should_pass_the_live_check_as_it_is()
    {
        using var place = await Workplace.CreateAsync(servers, Schema);
        var ended = await place.RunAsync(Arguments(place));
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldContain("Wrote config.yaml: 5 tables, 1 without a primary key commented out.");
        ended.Out.ShouldContain("actorsync validate --connect --config config.yaml");
        var check = await place.RunAsync("validate", "--connect", "--strict", "--config", "config.yaml");
        check.Code.ShouldBe(0, check.Error + check.Out);
        check.Out.ShouldEndWith("5 tables, 0 errors, 0 warnings\n");
    }

    [Fact]
    public async Task Starter_should_name_every_table_with_its_default_and_say_why_one_is_left_out()
    {
        using var place = await Workplace.CreateAsync(servers, Schema);
        await place.RunAsync(Arguments(place));
        string text = File.ReadAllText(place.Folder.File("config.yaml"));
        var config = ConfigLoader.Load("config.yaml", new Dictionary<string, string>(), place.Folder.Path);
        config.Tables.Select(t => t.FullName).ShouldBe(
            ["public.Order.Lines", "public.odd {name}: # 'quoted' \"double\"", "public.orders", "public.parts", "sales.regions"], ignoreOrder: true);
        config.Tables.Single(t => t.Name == "orders").Commands!.ShouldHaveSingleItem().Commands.ShouldHaveSingleItem()
            .Arguments.ShouldBe(["HSET", "public.orders:{%pk%}", "{pairs:*}"]);
        text.ShouldContain("# about 1,234 rows, primary key (id)");
        text.ShouldContain("Long values of note, attributes are not sent again");
        text.ShouldContain("ALTER TABLE \"public\".\"orders\" REPLICA IDENTITY FULL");
        text.ShouldContain("left out: it has no primary key");
        text.ShouldContain("# - public.log:");
        text.ShouldNotContain("scratch");
        text.ShouldNotContain("parts_2026");
    }

    [Fact]
    public async Task Starter_should_never_hold_the_password()
    {
        using var place = await Workplace.CreateAsync(servers, Schema);
        place.Environment.Clear();
        place.Environment["PGPASSWORD"] = CommandServers.Password;
        var ended = await place.RunAsync(Arguments(place));
        ended.Code.ShouldBe(0, ended.Error);
        string text = File.ReadAllText(place.Folder.File("config.yaml"));
        (text + ended.Out + ended.Error).ShouldNotContain(CommandServers.Password);
        text.ShouldContain("ACTORSYNC_POSTGRES_CONN_PASSWORD");
    }

    [Fact]
    public async Task Existing_file_should_only_be_overwritten_by_force()
    {
        using var place = await Workplace.CreateAsync(servers, Schema);
        File.WriteAllText(place.Folder.File("config.yaml"), "mine");
        (await place.RunAsync(Arguments(place))).ShouldSay(ExitCode.Usage, "config.yaml exists already", "--force");
        File.ReadAllText(place.Folder.File("config.yaml")).ShouldBe("mine");
        (await place.RunAsync(Arguments(place, "--force"))).Code.ShouldBe(0);
        File.ReadAllText(place.Folder.File("config.yaml")).ShouldContain("public.orders");
    }

    [Fact]
    public async Task Chosen_tables_should_be_the_only_ones_and_connection_may_come_from_a_configuration()
    {
        using var place = await Workplace.CreateAsync(servers, Schema);
        place.Configure();
        var ended = await place.RunAsync("init", "--config", "config.yaml", "--tables", "orders,sales.regions", "--output", "new.yaml");
        ended.Code.ShouldBe(0, ended.Error);
        var config = ConfigLoader.Load("new.yaml", new Dictionary<string, string>(), place.Folder.Path);
        config.Tables.Select(t => t.FullName).ShouldBe(["public.orders", "sales.regions"]);
        config.Postgres.Repl.Slot.ShouldBe(place.Slot);
        config.Postgres.Conn.Database.ShouldBe(place.Database);
    }

    [Fact]
    public async Task Stdout_should_get_the_file_and_nothing_else()
    {
        using var place = await Workplace.CreateAsync(servers, Schema);
        var ended = await place.RunAsync(Arguments(place, "--output", "-"));
        ended.Code.ShouldBe(0, ended.Error);
        ConfigLoader.Load("c.yaml", new Dictionary<string, string>(), place.Folder.Path, _ => ended.Out).Tables.Count.ShouldBe(5);
        Directory.GetFiles(place.Folder.Path).ShouldBeEmpty();
    }

    [Fact]
    public async Task Tables_that_are_not_there_should_be_named()
    {
        using var place = await Workplace.CreateAsync(servers, Schema);
        (await place.RunAsync(Arguments(place, "--tables", "orders,nope"))).ShouldSay(ExitCode.Schema, "public.nope");
        using var empty = await Workplace.CreateAsync(servers, "select 1");
        (await empty.RunAsync(Arguments(empty))).ShouldSay(ExitCode.Schema, "has no tables");
    }
}

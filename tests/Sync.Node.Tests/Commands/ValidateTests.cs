using Sync.Contracts;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

[Collection(CommandCollection.Name)]
public sealed class ValidateTests(CommandServers servers)
{
    [Fact]
    public async Task File_alone_should_be_judged_without_any_server()
    {
        using var place = await Workplace.CreateAsync(servers);
        place.Configure("- orders\n- items: { insert: { commands: [[SET, 'i:{id}', '{name}']] } }");
        place.Environment["ACTORSYNC_POSTGRES_CONN_PORT"] = "1";
        place.Environment["ACTORSYNC_REDIS_CONN_PORT"] = "1";
        var ended = await place.RunAsync("validate");
        ended.Code.ShouldBe(0, ended.Error);
        ended.Error.ShouldBeEmpty();
        ended.Out.ShouldContain("✓ public.orders");
        ended.Out.ShouldContain("✓ public.items");
        ended.Out.ShouldContain("note: a TRUNCATE of public.orders, public.items");
        ended.Out.ShouldEndWith("2 tables, 0 errors, 0 warnings\n");
    }

    [Fact]
    public async Task Wrong_table_should_have_a_cross_and_the_others_a_tick()
    {
        using var place = await Workplace.CreateAsync(servers);
        var ended = await place.Configure("- orders: { commands: [[SET, 'o:{', x]] }\n- items").RunAsync("validate");
        ended.Code.ShouldBe((int)ExitCode.Configuration);
        ended.Out.ShouldContain("✗ public.orders");
        ended.Out.ShouldContain("✓ public.items");
        ended.Out.ShouldEndWith("2 tables, 1 error, 0 warnings\n");
        ended.Error.ShouldStartWith("actorsync: config.yaml:8:");
    }

    [Fact]
    public async Task Live_check_should_say_what_run_will_create_and_change_nothing()
    {
        using var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key, status text)");
        var ended = await place.Configure().RunAsync("validate", "--connect", "--strict");
        ended.Code.ShouldBe(0, ended.Error + ended.Out);
        ended.Out.ShouldContain("✓ PostgreSQL");
        ended.Out.ShouldContain("wal_level logical");
        ended.Out.ShouldContain("✓ Redis");
        ended.Out.ShouldMatch(@"✓ public\.orders +2 columns, key \(id\), replica identity default");
        ended.Out.ShouldContain("note: publication pub does not exist; actorsync run will create it for public.orders");
        ended.Out.ShouldContain($"note: slot {place.Slot} does not exist; actorsync run will create it");
        ended.Out.ShouldEndWith("1 table, 0 errors, 0 warnings\n");
        (await servers.Postgres.ScalarAsync<long>("select count(*) from pg_publication", place.Database)).ShouldBe(0);
        (await servers.Postgres.ScalarAsync<long>($"select count(*) from pg_replication_slots where slot_name = '{place.Slot}'")).ShouldBe(0);
    }

    [Fact]
    public async Task Live_check_should_show_publication_and_slot_that_are_there()
    {
        using var place = await Workplace.CreateAsync(servers);
        await place.SqlAsync("create publication pub for table orders with (publish_via_partition_root = true)");
        await place.SqlAsync($"select pg_create_logical_replication_slot('{place.Slot}', 'pgoutput')");
        var ended = await place.Configure(repl: ", owner: user").RunAsync("validate", "--connect");
        ended.Code.ShouldBe(0, ended.Error + ended.Out);
        ended.Out.ShouldContain("✓ publication pub");
        ended.Out.ShouldMatch($"✓ slot {place.Slot} +confirmed [0-9A-F]+/[0-9A-F]+");
    }

    [Fact]
    public async Task Template_that_needs_more_than_the_replica_identity_should_warn_and_name_the_alter_table()
    {
        using var place = await Workplace.CreateAsync(servers);
        place.Configure("- orders: { commands: [[SET, 'o:{id}', '{old:note}']] }");
        var ended = await place.RunAsync("validate", "--connect");
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldContain("warning: ");
        ended.Out.ShouldContain("ALTER TABLE public.orders REPLICA IDENTITY FULL");
        (await place.RunAsync("validate", "--connect", "--strict")).Code.ShouldBe((int)ExitCode.CheckFailed);
    }

    [Fact]
    public async Task Keys_that_rows_may_share_should_be_named_with_the_line_that_helps()
    {
        using var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key, a text, b text)");
        var ended = await place.Configure("- orders: { commands: [[SADD, 'by:{a}:{b}', '{id}'], [SET, 'last:{a}', '{id}']] }").RunAsync("validate", "--connect");
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldContain("public.orders: different rows may give 'by:{a}:{b}' the same text, because 'a' and 'b' may hold any text");
        ended.Out.ShouldContain("public.orders: several rows may write 'SET last:{a}', which does not hold the row's identity (id)");
        ended.Out.ShouldContain("add this line to the table: key: \"last:{a}\"");
    }

    [Fact]
    public async Task A_condition_that_does_not_compare_as_SQL_should_be_refused_by_name()
    {
        using var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key, spans int4range)");
        var ended = await place.Configure("- orders: { when: { column: spans, op: '>', value: '[1,2)' } }").RunAsync("validate", "--connect");
        ended.Code.ShouldBe((int)ExitCode.Configuration);
        ended.Error.ShouldContain("column 'spans' of public.orders is a range, which a condition can't compare as PostgreSQL does");
    }

    [Fact]
    public async Task Missing_slot_of_a_user_who_owns_it_should_be_an_error_that_says_what_to_run()
    {
        using var place = await Workplace.CreateAsync(servers);
        await place.SqlAsync("create publication pub for table orders");
        (await place.Configure(repl: ", owner: user").RunAsync("validate", "--connect")).ShouldSay(ExitCode.Slot, place.Slot, "pg_create_logical_replication_slot");
    }

    [PostgresFact(15)]
    public async Task Column_left_out_of_the_publication_should_be_an_error_of_its_placeholder()
    {
        using var place = await Workplace.CreateAsync(servers);
        await place.SqlAsync("create publication pub for table orders (id)");
        await place.SqlAsync($"select pg_create_logical_replication_slot('{place.Slot}', 'pgoutput')");
        place.Configure("- orders: { commands: [[SET, 'o:{id}', '{note}']] }", repl: ", owner: user");
        (await place.RunAsync("validate", "--connect")).ShouldSay(ExitCode.Schema, "'note'", "publication leaves it out");
    }

    [Fact]
    public async Task Snapshot_condition_should_be_planned_by_postgres()
    {
        using var place = await Workplace.CreateAsync(servers);
        place.Configure(more: "http: { port: 0 }\nsnapshot: { config: [{ name: orders, query: 'nota is null' }] }");
        (await place.RunAsync("validate", "--connect")).ShouldSay(ExitCode.Schema, "config.yaml:7:", "nota");
        place.Configure(more: "http: { port: 0 }\nsnapshot: { config: [{ name: orders, query: 'note is null -- or not' }] }");
        (await place.RunAsync("validate", "--connect")).Code.ShouldBe(0);
    }

    [Fact]
    public async Task Role_without_replication_and_select_should_be_told_what_to_grant()
    {
        using var place = await Workplace.CreateAsync(servers);
        string role = $"r_{place.Database}";
        await place.SqlAsync($"create role {role} login password 'p'");
        place.Configure().Environment["ACTORSYNC_POSTGRES_CONN_USER"] = role;
        place.Environment["ACTORSYNC_POSTGRES_CONN_PASSWORD"] = "p";
        var ended = await place.RunAsync("validate", "--connect");
        ended.Code.ShouldBe((int)ExitCode.Schema, ended.Out + ended.Error);
        ended.Error.ShouldContain($"ALTER ROLE \"{role}\" REPLICATION");
        ended.Error.ShouldContain("GRANT SELECT ON \"public\".\"orders\"");
        ended.Out.ShouldContain("✗ public.orders");
    }

    [Fact]
    public async Task Database_that_does_not_know_its_encoding_should_be_noted()
    {
        using var place = await Workplace.CreateAsync(servers, encoding: "SQL_ASCII");
        var ended = await place.Configure().RunAsync("validate", "--connect", "--strict");
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldContain($"note: database {place.Database} is in SQL_ASCII");
    }

    [Fact]
    public async Task Port_behind_the_host_should_be_used_and_one_that_is_contradicted_named_with_its_place()
    {
        using var place = await Workplace.CreateAsync(servers);
        place.Configure();
        string file = place.Folder.File("config.yaml");
        string text = File.ReadAllText(file), behind = $"host: \"127.0.0.1:{servers.Postgres.Port}\"";
        File.WriteAllText(file, text.Replace($"host: 127.0.0.1, port: {servers.Postgres.Port}", behind, StringComparison.Ordinal));
        var ended = await place.RunAsync("validate", "--connect");
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldContain($"at 127.0.0.1:{servers.Postgres.Port}");
        File.WriteAllText(file, text.Replace($"host: 127.0.0.1, port: {servers.Postgres.Port}", behind + ", port: 1", StringComparison.Ordinal));
        (await place.RunAsync("validate")).ShouldSay(ExitCode.Configuration, "config.yaml:2:17: 'postgres.conn.host' says port", "and 'postgres.conn.port' says 1");
    }

    [Fact]
    public async Task Password_of_the_password_file_should_be_taken_with_its_escapes_and_its_blank_at_the_end()
    {
        using var place = await Workplace.CreateAsync(servers);
        string role = $"r_{place.Database}";
        await place.SqlAsync($@"create role {role} superuser replication login password 'a:b\c ' ");
        place.Configure().Environment["ACTORSYNC_POSTGRES_CONN_USER"] = role;
        place.Environment.Remove("ACTORSYNC_POSTGRES_CONN_PASSWORD");
        place.Environment["PGPASSFILE"] = place.Folder.File("passwords");
        File.WriteAllText(place.Folder.File("passwords"), $"127.0.0.1:{servers.Postgres.Port}:*:{role}:a\\:b\\\\c \n");
        var ended = await place.RunAsync("validate", "--connect");
        ended.Code.ShouldBe(0, ended.Error);
    }

    [Fact]
    public async Task All_missing_privileges_should_be_named_with_their_grants_in_one_pass()
    {
        using var place = await Workplace.CreateAsync(servers, """
            create schema app; create table app.far (id int primary key); create table orders (id int primary key, note text, price int); create table doc (id int primary key);
            alter table doc enable row level security
            """);
        string role = $"r_{place.Database}";
        await place.SqlAsync($"create role {role} login replication password 'p'; grant select on app.far, doc to {role}; grant select (id) on orders to {role}");
        place.Configure("- app.far\n- orders\n- doc").Environment["ACTORSYNC_POSTGRES_CONN_USER"] = role;
        place.Environment["ACTORSYNC_POSTGRES_CONN_PASSWORD"] = "p";
        var ended = await place.RunAsync("validate", "--connect");
        ended.Code.ShouldBe((int)ExitCode.Schema, ended.Out + ended.Error);
        ended.Error.ShouldContain($"GRANT USAGE ON SCHEMA \"app\" TO \"{role}\"");
        ended.Error.ShouldContain($"GRANT SELECT (\"note\", \"price\") ON \"public\".\"orders\" TO \"{role}\"");
        ended.Error.ShouldContain($"ALTER ROLE \"{role}\" BYPASSRLS");
        ended.Error.ShouldContain($"GRANT CREATE ON DATABASE \"{place.Database}\" TO \"{role}\"");
        ended.Error.ShouldContain("the owner of public.orders");
        foreach (string table in (string[])["app.far", "public.orders", "public.doc"]) ended.Out.ShouldContain($"✗ {table}");
    }

    [Fact]
    public async Task Generated_columns_should_be_called_what_they_are()
    {
        using var place = await Workplace.CreateAsync(servers, """
            create table gen (v int, id int generated always as (v * 2) stored primary key);
            create table orders (id int primary key, net int, gross int generated always as (net * 2) stored)
            """);
        var ended = await place.Configure("- gen\n- orders: { commands: [[SET, 'o:{id}', '{gross}']] }").RunAsync("validate", "--connect");
        ended.Code.ShouldBe((int)ExitCode.Schema, ended.Out + ended.Error);
        ended.Error.ShouldContain("column id of the primary key of public.gen is generated, and the publication sends no generated columns");
        ended.Error.ShouldContain("column 'gross' of public.orders is generated, and the publication sends no generated columns");
        ended.Error.ShouldNotContain("does not exist");
        ended.Error.ShouldNotContain("has no primary key");
        ended.Out.ShouldMatch(@"✗ public\.gen +1 column and 1 generated, key with id, generated and not sent, replica identity default");
    }

    [Fact]
    public async Task Table_that_run_would_stop_should_be_named_beside_the_good_ones()
    {
        using var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key); create table log (line text)");
        var ended = await place.Configure("- orders\n- log: { commands: [[RPUSH, log, '{line}']] }").RunAsync("validate", "--connect");
        ended.Code.ShouldBe((int)ExitCode.Schema, ended.Out + ended.Error);
        ended.Error.ShouldContain("public.log has no replica identity, so that PostgreSQL would refuse every UPDATE and DELETE");
        ended.Out.ShouldContain("✓ public.orders");
        ended.Out.ShouldContain("✗ public.log");
        ended.Out.ShouldContain("note: actorsync run would stop public.log, and follow the other tables");
        (await place.Configure("- orders\n- log: { publishWithoutIdentity: true, commands: [[RPUSH, log, '{line}']] }").RunAsync("validate", "--connect")).Code.ShouldBe(0);
    }

    [Fact]
    public async Task Both_servers_should_be_asked_even_if_one_is_away()
    {
        using var place = await Workplace.CreateAsync(servers);
        place.Configure().Environment["ACTORSYNC_POSTGRES_CONN_PORT"] = $"{Testing.Ports.Free()}";
        place.Environment["ACTORSYNC_REDIS_CONN_PORT"] = $"{Testing.Ports.Free()}";
        var ended = await place.RunAsync("validate", "--connect");
        ended.Code.ShouldBe((int)ExitCode.PostgresUnreachable);
        ended.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(2);
        ended.Out.ShouldContain("✗ PostgreSQL");
        ended.Out.ShouldContain("✗ Redis");
        ended.Out.ShouldEndWith("1 table, 2 errors, 0 warnings\n");
    }

    /// <summary>A Redis user of the test's own; what follows are its rules.</summary>
    async Task<(Workplace Place, string User)> WithUserAsync(string tables, params string[] rules)
    {
        var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key, note text, price int)");
        string user = $"u_{place.Database}";
        await servers.Redis.ExecAsync(["ACL", "SETUSER", user, "on", ">pass", .. rules]);
        place.Configure(tables, redis: $", user: {user}, password: pass");
        return (place, user);
    }

    [Fact]
    public async Task Rights_that_are_missing_in_Redis_should_be_named_with_the_rule_that_gives_them()
    {
        var (place, user) = await WithUserAsync("""
            - orders: { ttl: 1h, commands: [[HSET, 'order:{id}', '{pairs:*}'], [ZADD, rank, '{price}', '{id}'], [PUBLISH, 'orders:{id}', '{json:*}']] }
            """, "~order:*", "~actorsync:*", "+@all", "-zadd", "-zrem");
        using (place)
        {
            var ended = await place.RunAsync("validate", "--connect");
            ended.Code.ShouldBe((int)ExitCode.RedisAuthentication, ended.Out + ended.Error);
            ended.Error.ShouldContain($"Redis user '{user}' is denied ZADD, PEXPIRE on rank, PUBLISH on channel orders:1, ZREM that table public.orders needs");
            ended.Error.ShouldContain($": ACL SETUSER {user} +zadd +zrem ~rank &orders:*");
            ended.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(1, "everything else is allowed");
            await servers.Redis.ExecAsync("ACL", "SETUSER", user, "+zadd", "+zrem", "~rank", "&orders:*");
            ended = await place.RunAsync("validate", "--connect");
            ended.Code.ShouldBe(0, ended.Out + ended.Error);
            ended.Out.ShouldNotContain("denied");
        }
    }

    [Fact]
    public async Task Rights_to_ActorSyncs_own_records_should_be_checked_too()
    {
        var (place, user) = await WithUserAsync("- orders", "~public.orders:*", "+@all", "-client|kill", "-watch");
        using (place)
        {
            var ended = await place.RunAsync("validate", "--connect");
            ended.Code.ShouldBe((int)ExitCode.RedisAuthentication, ended.Out + ended.Error);
            ended.Error.ShouldContain("that ActorSync needs for its own records");
            ended.Error.ShouldContain($"ACL SETUSER {user} +watch ~actorsync:*");
            ended.Out.ShouldContain("CLIENT");
            ended.Out.ShouldContain("+client|kill");
        }
    }

    [Fact]
    public async Task A_Redis_user_that_may_not_ask_for_its_rights_should_be_told_so()
    {
        var (place, user) = await WithUserAsync("- orders", "~*", "&*", "+@all", "-acl");
        using (place)
        {
            var ended = await place.RunAsync("validate", "--connect");
            ended.Code.ShouldBe(0, ended.Out + ended.Error);
            ended.Out.ShouldContain($"note: the rights of Redis user '{user}' were not checked");
            ended.Out.ShouldContain($"ACL SETUSER {user} +acl|dryrun");
        }
    }
}

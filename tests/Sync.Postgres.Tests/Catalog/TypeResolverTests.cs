using Sync.Contracts.Rows;
using Sync.Postgres.Catalog;

namespace Sync.Postgres.Tests.Catalog;

[Collection(PostgresCollection.Name)]
public class TypeResolverTests(PostgresFixture fixture)
{
    static ColumnType Kind(ValueKind kind) => new(kind);

    static readonly ColumnType anEnum = ColumnType.Text with { IsEnum = true };

    static ColumnType Domain(uint of, ColumnType type) => type with { DomainOf = of };

    static ColumnType ArrayOf(ColumnType element, char delimiter = ',') => new(ValueKind.Array, element, delimiter);

    static async Task<ColumnType> ResolveAsync(Database database, TypeResolver resolver, string type)
    {
        uint oid = await database.ScalarAsync<uint>($"select '{type}'::regtype::oid");
        return (await resolver.ResolveAsync(database.Source, [oid]))[oid];
    }

    [Fact]
    public async Task Types_of_every_making_should_come_down_to_what_they_are_made_of()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create type mood as enum ('sad', 'ok');
            create domain moods as mood[];
            create domain cents as bigint;
            create domain price as cents check (value >= 0);
            create domain grid as int[];
            create type pair as (a int, b text);
            create type span as range (subtype = float8);
            """);
        var resolver = new TypeResolver();
        uint moods = await database.ScalarAsync<uint>("select 'mood[]'::regtype::oid");
        (string Type, ColumnType Expected)[] cases =
        [
            ("mood", anEnum), ("mood[]", ArrayOf(anEnum)), ("moods", Domain(moods, ArrayOf(anEnum))),
            ("moods[]", ArrayOf(Domain(moods, ArrayOf(anEnum)))), ("cents", Domain(20, Kind(ValueKind.Integer))), ("price", Domain(20, Kind(ValueKind.Integer))),
            ("price[]", ArrayOf(Domain(20, Kind(ValueKind.Integer)))), ("grid", Domain(1007, ArrayOf(Kind(ValueKind.Integer)))), ("pair", ColumnType.Text),
            ("pair[]", ArrayOf(ColumnType.Text)), ("span", ColumnType.Text), ("int2vector", ColumnType.Text), ("box[]", ArrayOf(ColumnType.Text, ';')),
            ("path[]", ArrayOf(ColumnType.Text)), ("regclass", ColumnType.Text), ("int4range", ColumnType.Text), ("jsonb[]", ArrayOf(Kind(ValueKind.Json))),
        ];
        foreach (var (type, expected) in cases)
            (await ResolveAsync(database, resolver, type)).ShouldBe(expected, type);
    }

    [Fact]
    public async Task Builtin_table_should_agree_with_the_catalog()
    {
        await using var database = await Database.CreateAsync(fixture.Server);
        foreach (var (oid, type) in BuiltinTypes.ByOid)
        {
            string name = (await database.ScalarAsync<string>($"select typname::text from pg_type where oid = {oid}")).ShouldNotBeNull($"{oid}");
            uint element = await database.ScalarAsync<uint>($"select oid from pg_type where typarray = {oid}");
            (element != 0).ShouldBe(type.Kind == ValueKind.Array, name);
            if (element != 0)
            {
                type.Element.ShouldBe(BuiltinTypes.ByOid[element], name);
                type.Delimiter.ShouldBe((await database.ScalarAsync<char>($"select typdelim from pg_type where oid = {element}")), name);
            }
            else if (type.Kind != ValueKind.Text)
                name.ShouldBeOneOf(Names(type.Kind), $"{oid}");
        }
    }

    static string[] Names(ValueKind kind) => kind switch
    {
        ValueKind.Boolean => ["bool"],
        ValueKind.Integer => ["int2", "int4", "int8", "oid"],
        ValueKind.Float => ["float4", "float8"],
        ValueKind.Json => ["json", "jsonb"],
        _ => [kind.ToString().ToLowerInvariant()],
    };

    [Fact]
    public async Task Dropped_type_should_count_as_text()
    {
        await using var database = await Database.CreateAsync(fixture.Server, "create domain gone as int");
        uint oid = await database.ScalarAsync<uint>("select 'gone'::regtype::oid");
        await database.ExecuteAsync("drop domain gone");
        (await new TypeResolver().ResolveAsync(database.Source, [oid, 23]))[oid].ShouldBe(ColumnType.Text);
    }

    [Fact]
    public async Task Resolver_should_ask_once_for_a_type()
    {
        var resolver = new TypeResolver();
        uint oid;
        await using (var database = await Database.CreateAsync(fixture.Server, "create domain once as numeric"))
        {
            oid = await database.ScalarAsync<uint>("select 'once'::regtype::oid");
            await resolver.ResolveAsync(database.Source, [oid]);
        }
        // The connections are closed now: an answer can only come from memory.
        await using var closed = await Database.CreateAsync(fixture.Server);
        await closed.Source.DisposeAsync();
        (await resolver.ResolveAsync(closed.Source, [oid, 16]))[oid].ShouldBe(Domain(1700, Kind(ValueKind.Numeric)));
    }
}

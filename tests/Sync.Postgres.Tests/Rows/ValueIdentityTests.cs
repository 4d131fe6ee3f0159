using Sync.Contracts.Rows;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Rows;
using Sync.Postgres.Snapshots;
using Sync.Postgres.Tests.Snapshots;
using Sync.Postgres.Tests.Streaming;

namespace Sync.Postgres.Tests.Rows;

/// <summary>One form of every value, whichever way it came: the stream, a snapshot, or a row read again.</summary>
[Collection(PostgresCollection.Name)]
public class ValueIdentityTests(PostgresFixture postgres)
{
    static readonly (string Type, string Expression)[] values =
    [
        ("numeric", "123456789012345678901234567890.123456789012345678901234567890"), ("numeric", "'NaN'"), ("numeric", "'Infinity'"), ("numeric", "'-Infinity'"),
        ("numeric(10,4)", "1.5"), ("float8", "'NaN'"), ("float8", "'-Infinity'"), ("float8", "0.1::float8 + 0.2"), ("float4", "1e-30"), ("float8", "'-0'"),
        ("int8", "-9223372036854775808"), ("boolean", "true"), ("boolean", "false"), ("boolean[]", "'{t,f,null}'"),
        ("timestamptz", "'2026-01-02 03:04:05.123456+05:30'"), ("timestamptz", "'infinity'"), ("timestamp", "'0044-03-15 12:00:00.000001 BC'"),
        ("date", "'294276-12-31'"), ("time", "'24:00'"), ("timetz", "'12:00:00.5-08'"), ("interval", "'1 year -2 days 03:04:05.000006'"),
        ("bytea", "'\\x00ff0d0a5c09'"), ("bytea", "''"), ("text", "''"), ("text", "null"), ("text", "E'a\\tb\\\\c\\r\\nd\\be\\ff\\vg'"), ("text", "'\\N'"), ("text", "'\\.'"),
        ("text", "'{braces} $3\r\nSET x'"), ("text", "'größe 😀'"), ("text", "repeat('é\\', 500000)"), ("char(6)", "'ab'"), ("varchar(6)", "'ab  '"), ("\"char\"", "'x'"), ("name", "'n'"),
        ("int[]", "'{{1,2},{3,null}}'"), ("text[]", "array['a,b', 'c\"d', 'e\\f', '', null, 'NULL']"), ("int[]", "'[5:6]={1,2}'"), ("box[]", "'{(1,2),(0,0);(3,4),(1,1)}'"),
        ("mood", "'very ok'"), ("mood[]", "array['very ok', 'bad']::mood[]"), ("positive", "5"), ("pair", "row(1, 'a,\"b')"), ("pair[]", "array[row(1, null)::pair]"),
        ("jsonb", "'{\"b\": 1.50, \"a\": [null, \"\\u00fc\"]}'"), ("json", "'{ \"b\" : 1.50 }'"), ("xml", "'<a>b</a>'"), ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"),
        ("inet", "'10.0.0.1/8'"), ("cidr", "'10.0.0.0/8'"), ("macaddr", "'08:00:2b:01:02:03'"), ("bit(5)", "B'10101'"), ("varbit", "B'1'"), ("money", "12.5"),
        ("int4range", "'[1,5]'"), ("tstzrange", "'[2026-01-01 00:00+01,)'"), ("int4multirange", "'{[1,3),[5,9)}'"), ("point", "'(0.1,-2)'"), ("path", "'[(0,0),(1,1)]'"),
        ("tsvector", "'fat:2 cat:3'"), ("pg_lsn", "'16/B374D848'"), ("oid", "4294967295"), ("regclass", "'pg_class'"), ("text", "E'\\u0001\\u007f'"),
    ];

    [Fact]
    public async Task Values_should_look_alike_from_stream_snapshot_and_reader()
    {
        string columns = string.Join(", ", values.Select((v, i) => $"c{i} {v.Type}"));
        await using var stream = await StreamHarness.StartAsync(postgres.Server, $"""
            create type mood as enum ('very ok', 'bad'); create domain positive as int check (value > 0); create type pair as (a int, b text);
            create table t (id int primary key, {columns})
            """);
        // The role's own settings must not reach the values: they are fixed for every connection.
        await stream.SqlAsync($"""
            do $$ begin
              execute format('alter database %I set datestyle = %L', current_database(), 'German');
              execute format('alter database %I set timezone = %L', current_database(), 'Asia/Tokyo');
              execute format('alter database %I set bytea_output = %L', current_database(), 'escape');
              execute format('alter database %I set extra_float_digits = %L', current_database(), '-3');
              execute format('alter database %I set intervalstyle = %L', current_database(), 'iso_8601');
            end $$
            """);
        await stream.Stream.DisposeAsync();
        await stream.OpenAsync();
        await stream.SqlAsync($"insert into t values (1, {string.Join(", ", values.Select(v => $"{v.Expression}"))})");

        string[] streamed = [];
        while (streamed.Length == 0)
        {
            var message = await stream.NextAsync();
            if (stream.Decoder.Decode(message.Span) == PgOutputMessageKind.Insert) streamed = Cells(stream.Decoder.New(message.Span));
        }
        var db = new SnapshotHarness(postgres.Server, stream.Database, stream.Primary);
        var target = await db.TargetAsync("t");
        var keeper = new Keeper();
        await using (var snapshot = await db.OpenAsync(new SnapshotReadOptions(), target)) await snapshot.RunAsync(keeper, CancellationToken.None);
        await using var reader = new RowReader(stream.Primary);
        (await reader.ReadAsync(target.Relation, new RowTuple("1"u8, [new Cell(CellState.Text, 0, 1)]))).ShouldBeTrue();
        string[] read = Cells(reader.Row);

        for (int i = 0; i <= values.Length; i++)
        {
            string what = i == 0 ? "id" : $"{values[i - 1].Type} {values[i - 1].Expression}";
            keeper.Row[i].ShouldBe(streamed[i], $"snapshot, {what}");
            read[i].ShouldBe(streamed[i], $"reader, {what}");
        }
        // Some fixed points, lest all three be wrong alike.
        streamed[1].ShouldBe("123456789012345678901234567890.123456789012345678901234567890");
        streamed[Index("boolean", "true")].ShouldBe("t");
        streamed[Index("timestamptz", "'2026-01-02 03:04:05.123456+05:30'")].ShouldBe("2026-01-01 21:34:05.123456+00");
        streamed[Index("float8", "0.1::float8 + 0.2")].ShouldBe("0.30000000000000004");
        streamed[Index("bytea", "'\\x00ff0d0a5c09'")].ShouldBe("\\x00ff0d0a5c09");
        streamed[Index("char(6)", "'ab'")].ShouldBe("ab    ");
        streamed[Index("interval", "'1 year -2 days 03:04:05.000006'")].ShouldBe("1 year -2 days +03:04:05.000006");
        streamed[Index("text", "''")].ShouldBe("");
        streamed[Index("text", "null")].ShouldBe("<Null>");
        streamed[Index("text", "'\\N'")].ShouldBe("\\N");
    }

    static int Index(string type, string expression) => 1 + Array.IndexOf(values, (type, expression));

    static string[] Cells(RowTuple row)
    {
        string[] cells = new string[values.Length + 1];
        for (int i = 0; i < cells.Length; i++)
            cells[i] = row.State(i) == CellState.Text ? System.Text.Encoding.UTF8.GetString(row.Value(i)) : $"<{row.State(i)}>";
        return cells;
    }

    sealed class Keeper : Collector
    {
        public string[] Row { get; private set; } = [];

        public override bool OnRow(int worker, SnapshotTarget target, RowTuple row)
        {
            Row = Cells(row);
            return true;
        }
    }
}

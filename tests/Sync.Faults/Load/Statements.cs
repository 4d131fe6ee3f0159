using System.Globalization;
using System.Text;

namespace Sync.Faults.Load;

/// <summary>Draws transactions: SQL, and about how many rows it changes.</summary>
sealed class Statements(Random random)
{
    readonly StringBuilder sql = new();
    int rows;

    /// <summary>
    /// Most have a few rows, some hundreds, a few thousands; one in six rolls part of itself back to a savepoint, one in twenty rolls all of it back.
    /// </summary>
    public (string Sql, int Rows) Next()
    {
        sql.Clear();
        rows = 0;
        sql.Append("begin;");
        double size = random.NextDouble();
        if (size < 0.015) Large();
        else Several(size < 0.75 ? random.Next(1, 6) : random.Next(6, 40));
        if (random.Next(6) == 0)
        {
            sql.Append("savepoint s;");
            Several(random.Next(1, 8));
            sql.Append("rollback to s;");
            if (random.Next(2) == 0) Several(random.Next(1, 4));
        }
        sql.Append(random.Next(20) == 0 ? "rollback;" : "commit;");
        return (sql.ToString(), rows);
    }

    void Several(int count)
    {
        for (int i = 0; i < count; i++) One();
    }

    void One()
    {
        switch (random.Next(100))
        {
            case < 26: Item(); break;
            case < 44: Doc(); break;
            case < 68: Events(random.Next(Schema.EventKeys), random.Next(1, 4)); break;
            case < 90: Entry(); break;
            default: Member(); break;
        }
    }

    void Item()
    {
        int id = random.Next(Schema.Items), other = random.Next(Schema.Items);
        string name = random.Next(4) == 0 ? "null" : $"'n{random.Next(1000)}'", quantity = random.Next(5) == 0 ? "null" : Text(random.Next(1000));
        string upsert = string.Create(CultureInfo.InvariantCulture, $"""
            insert into item(id, name, qty) values ({id}, {name}, {quantity})
            on conflict (id) do update set name = excluded.name, qty = excluded.qty, v = nextval('version');
            """);
        Add(1, random.Next(10) switch
        {
            < 3 => upsert,
            < 5 => $"update item set qty = {quantity}, v = nextval('version') where id = {Text(id)};",
            5 => $"update item set big = repeat(md5('{Text(random.Next())}'), 80), v = nextval('version') where id = {Text(id)};",
            < 8 => $"update item set id = {Text(other)}, v = nextval('version') where id = {Text(id)} and not exists (select from item where id = {Text(other)});",
            8 => $"delete from item where id = {Text(id)};",
            _ => $"delete from item where id = {Text(id)};{upsert}",
        });
    }

    void Doc()
    {
        int id = random.Next(Schema.Docs), other = random.Next(Schema.Docs);
        // Bodies are bytes of all sorts: quotes, line ends, UTF-8 of four bytes, nothing at all.
        string body = random.Next(8) switch
        {
            0 => "''",
            1 => "E'a\\r\\nb\\tc \\\\ \"''\"'",
            2 => "'żółw 🐢 ' || repeat('é', 300)",
            _ => $"md5('{Text(random.Next())}')",
        };
        string upsert = $"insert into doc(id, body) values ({Text(id)}, {body}) on conflict (id) do update set body = excluded.body, v = nextval('version');";
        Add(1, random.Next(10) switch
        {
            < 6 => upsert,
            < 8 => $"update doc set id = {Text(other)}, v = nextval('version') where id = {Text(id)} and not exists (select from doc where id = {Text(other)});",
            8 => $"delete from doc where id = {Text(id)};",
            _ => $"delete from doc where id = {Text(id)};{upsert}delete from doc where id = {Text(id)};{upsert}",
        });
    }

    void Entry()
    {
        int owner = random.Next(Schema.Owners);
        string some = $"(select id from entry where owner = {Text(owner)} order by id limit 1 offset {Text(random.Next(5))})";
        Add(1, random.Next(10) switch
        {
            < 6 => $"insert into entry(owner, kind, amount) values ({Text(owner)}, '{Schema.Kinds[random.Next(Schema.Kinds.Length)]}', {Text(random.Next(1, 100_000_000))});",
            < 8 => $"update entry set amount = {Text(random.Next(1, 100_000_000))} where id = {some};",
            8 => $"update entry set owner = {Text(random.Next(Schema.Owners))} where id = {some};",
            _ => $"delete from entry where id = {some};",
        });
    }

    void Member()
    {
        int group = random.Next(Schema.Groups);
        string name = $"name {Text(random.Next(Schema.Names))}", where = $"where grp = {Text(group)} and name = '{name}'";
        int other = random.Next(Schema.Groups);
        Add(1, random.Next(4) switch
        {
            < 2 => $"insert into member values ({Text(group)}, '{name}') on conflict do nothing;",
            2 => $"delete from member {where};",
            _ => $"update member set grp = {Text(other)} {where} and not exists (select from member where grp = {Text(other)} and name = '{name}');",
        });
    }

    void Large()
    {
        int count = random.Next(500, 5001);
        switch (random.Next(4))
        {
            case 0: Events(random.Next(Schema.EventKeys), count); break;
            case 1:
                Add(count, $"insert into entry(owner, kind, amount) select g % {Schema.Owners}, 'fee', g * 7919 from generate_series(1, {Text(count)}) g;");
                break;
            case 2: Add(count, $"delete from entry where id in (select id from entry order by id limit {Text(count)});"); break;
            default:
                for (int i = 0; i < count / Schema.Items; i++)
                    Add(Schema.Items, $"update item set qty = coalesce(qty, 0) + 1, v = nextval('version') where id in (select id from item order by id for update);");
                break;
        }
    }

    /// <summary>The number of an event is drawn under the lock of its key's row, so that numbers are in the order of the commits, without holes.</summary>
    public static string EventsSql(int key, int count) => string.Create(CultureInfo.InvariantCulture, $"""
        with c as (update counter set n = n + {count} where k = {key} returning k, n)
        insert into event select c.k, c.n - {count} + g, md5(c.k || '-' || (c.n - {count} + g)) from c, generate_series(1, {count}) g order by g;
        """);

    void Events(int key, int count) => Add(count, EventsSql(key, count));

    void Add(int count, string statement)
    {
        rows += count;
        sql.Append(statement);
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

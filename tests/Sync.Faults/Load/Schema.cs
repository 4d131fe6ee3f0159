using System.Globalization;
using System.Text;

namespace Sync.Faults.Load;

/// <summary>
/// The tables of the load, and a history of all that happened to them. The history is written by triggers, in the transactions of the changes, when the row's
/// lock is held and its uniqueness is settled: so for each key its order is the order of the commits, and what was rolled back is not in it.
/// </summary>
static class Schema
{
    public const int Items = 300, Docs = 60, EventKeys = 40, Owners = 30, Groups = 10, Names = 25;
    public static readonly string[] Kinds = ["buy", "sell", "fee"];

    /// <summary>Keys of events from here on are of the poison phases, one key each.</summary>
    public const int FirstPoisonKey = 1000;

    static readonly (string Table, string Key, string Value)[] noted =
    [
        ("item", "$.id", "$.v"), ("doc", "$.id", "$.v"), ("event", "$.k", "$.seq"), ("entry", "$.owner || '|' || $.kind", "$.amount"), ("member", "$.grp", "$.name"),
    ];

    public static string Sql()
    {
        var sql = new StringBuilder(ShiftingTables.Sql).AppendLine($"""
            create sequence version;
            create table counter(k int primary key, n bigint not null default 0);
            insert into counter select generate_series(0, {EventKeys - 1});
            create table item(id int primary key, name text, qty int, big text, v bigint not null default nextval('version'));
            alter table item alter big set storage external;
            create table doc(id int primary key, body text not null, v bigint not null default nextval('version'));
            alter table doc replica identity full;
            create table event(k int, seq bigint, body text not null, primary key(k, seq));
            create table entry(id bigint generated always as identity primary key, owner int not null, kind text not null, amount bigint not null);
            alter table entry replica identity full;
            create table member(grp int, name text, primary key(grp, name));
            create table marker(id int primary key, n bigint not null);
            create table history(id bigint generated always as identity primary key, t text not null, op text not null, ok text, ov text, nk text, nv text);

            """);
        foreach (var (table, key, value) in noted)
        {
            string Of(string expression, string row) => expression.Replace("$", row, StringComparison.Ordinal);
            sql.AppendLine(CultureInfo.InvariantCulture, $"""
                create function note_{table}() returns trigger language plpgsql as $note$
                begin
                  insert into history(t, op, ok, ov, nk, nv)
                  values ('{table}', left(tg_op, 1), {Of(key, "old")}, {Of(value, "old")}, {Of(key, "new")}, {Of(value, "new")});
                  return null;
                end $note$;
                create trigger note after insert or update or delete on {table} for each row execute function note_{table}();
                """);
        }
        return sql.ToString();
    }

    /// <summary>What both mappings have: sums, sets and the marker.</summary>
    const string countedTables = """
          - entry:
              commands:
                - ["INCRBY", "total:{owner}", "{diff:amount}"]
                - ["HINCRBY", "kinds:{owner}", "{kind}", "{diff:amount}"]
                - ["ZINCRBY", "rank", "{diff:amount}", "{owner}"]
          - member:
              commands: [["SADD", "group:{grp}", "{name}"]]
          - marker:
              commands: [["SET", "marker:{id}", "{n}"]]
        """;

    /// <summary>The mapping, below <c>tables:</c>. Every table keeps, besides its state, something that shows what was applied, how often and in which order.</summary>
    public const string Tables = """
          - item:
              insert: {commands: [["HSET", "item:{id}", "{pairs:*}"], ["RPUSH", "steps:{id}", "{v}"]]}
              update: {commands: [["HSET", "item:{id}", "{pairs:*}"], ["RPUSH", "steps:{id}", "{v}"]]}
              delete: {commands: [["DEL", "item:{id}"], ["RPUSH", "steps:{id}", "x"]]}
          - doc:
              insert: {commands: [["SET", "doc:{id}", "{body}"], ["RPUSH", "trail:{id}", "{v}"]]}
              update: {commands: [["SET", "doc:{id}", "{body}"], ["RPUSH", "trail:{id}", "{v}"]]}
              delete: {commands: [["DEL", "doc:{id}"], ["RPUSH", "trail:{id}", "-{v}"]]}
          - event:
              key: "event:{k}"
              insert: {commands: [["XADD", "log:{k}", "*", "seq", "{seq}", "body", "{body}"], ["RPUSH", "tail:{k}", "{seq}"], ["LPUSH", "head:{k}", "{seq}"]]}
              update: {commands: []}
              delete: {commands: []}

        """ + countedTables;

    /// <summary>The same without what was told once: what is left follows from the rows, so that it can be made right whatever became of the log.</summary>
    public const string StateTables = """
          - item:
              commands: [["HSET", "item:{id}", "{pairs:*}"]]
          - doc:
              commands: [["SET", "doc:{id}", "{body}"]]

        """ + countedTables;
}

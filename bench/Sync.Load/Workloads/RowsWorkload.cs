namespace Sync.Load.Workloads;

/// <summary>
/// One table: N inserts, 100 a transaction; N updates spread over all rows, 10 a transaction; N / 5 deletes, 100 a transaction. What differs is
/// how its rows look.
/// </summary>
abstract class RowsWorkload : Workload
{
    const int perInsert = 100, perUpdate = 10, perDelete = 100;

    // Prime, so that a transaction's rows differ whatever the number of rows is.
    const int stride = 611953;

    readonly int count;

    /// <param name="rows">About how many row changes; rounded down to whole transactions.</param>
    protected RowsWorkload(int rows)
    {
        count = (int)(rows / 2.2);
        count -= count % (5 * perDelete);
        if (count % stride == 0) count -= 5 * perDelete;
        if (count == 0) throw LoadOptions.Wrong($"{rows} rows are too few for this workload");
    }

    /// <summary>What stands in the parentheses of <c>create table</c>; the primary key is <c>id</c>.</summary>
    protected abstract string Columns { get; }

    /// <summary>The values of row <c>g</c>, in the order of <see cref="Columns"/>.</summary>
    protected abstract string Values { get; }

    /// <summary>What an update sets.</summary>
    protected abstract string Update { get; }

    /// <summary>What row <c>r</c> should be in Redis; see <see cref="Workload.Sample"/>.</summary>
    protected abstract string Expected { get; }

    /// <summary>What an insert or update does.</summary>
    protected abstract string Command { get; }

    /// <summary>A statement that follows the table's creation; empty for none.</summary>
    protected virtual string Afterwards => "";

    public override int Rows => 2 * count + count / 5;

    /// <summary>Rows that the first of <see cref="Changes"/> inserts.</summary>
    public int Inserts => count;

    public override string KeyCount => $"select {count - count / 5}::bigint";

    public override string Publication => $"{Name}_pub";

    public override IReadOnlyList<string> Schema =>
        [$"create table {Name}({Columns})", .. Afterwards is "" ? (string[])[] : [Afterwards], $"create publication {Publication} for table {Name}"];

    public override IReadOnlyList<string> Changes =>
    [
        $"""
        do $$ begin for i in 0..{count / perInsert - 1} loop
          insert into {Name} select {Values} from generate_series(i*{perInsert}+1, (i+1)*{perInsert}) g;
          commit; end loop; end $$
        """,
        $"""
        do $$ begin for i in 0..{count / perUpdate - 1} loop
          update {Name} set {Update}
            where id = any(array(select 1+((i::bigint*{perUpdate}+k)*{stride})%{count} from generate_series(0,{perUpdate - 1}) k));
          commit; end loop; end $$
        """,
        $"""
        do $$ begin for i in 0..{count / 5 / perDelete - 1} loop
          delete from {Name} where id between i*{perDelete}+1 and (i+1)*{perDelete};
          commit; end loop; end $$
        """,
    ];

    public override string Sample => $"""
        select 'user:'||i, case when r.id is not null then {Expected} end
        from generate_series(1, {count}, {Math.Max(1, count / 500)}) i left join {Name} r on r.id = i
        """;

    public override string Tables => $$"""
        - public.{{Name}}:
            insert: { commands: [{{Command}}] }
            update: { commands: [{{Command}}] }
            delete: { commands: [["DEL", "user:{id}"]] }
        """;

    public override SimpleTable Simple => new(Name, IsJson: false);
}

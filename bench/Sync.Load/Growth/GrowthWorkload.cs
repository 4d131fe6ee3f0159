using Sync.Load.Workloads;

namespace Sync.Load.Growth;

/// <summary>A workload of one point of a series. Its tables are named grow_1 and so on, with <c>id</c> as primary key, and become hashes.</summary>
sealed class GrowthWorkload : Workload
{
    /// <summary>Row changes.</summary>
    public required int Size { get; init; }

    /// <summary>Keys that Redis holds at the end.</summary>
    public required int DistinctKeys { get; init; }

    /// <summary>How many tables.</summary>
    public int TableCount { get; init; } = 1;

    /// <summary>Rows that are in the table before the backlog begins.</summary>
    public int RowsBefore { get; init; }

    /// <summary>A statement that makes the backlog.</summary>
    public required string Change { get; init; }

    public override string Name => "growth";
    public override int Rows => Size;
    public override string Publication => "growth_pub";
    public override IReadOnlyList<string> Changes => [Change];
    public override string KeyCount => $"select {DistinctKeys}::bigint";
    public override string Sample => "select 'none', null::text[] where false";

    IEnumerable<string> TableNames => Enumerable.Range(1, TableCount).Select(table => $"grow_{table}");

    public override IReadOnlyList<string> Schema =>
    [
        // Compression is not what is measured.
        .. TableNames.Select(table => $"create table {table}(id bigint primary key, number int, body text); alter table {table} alter body set storage external"),
        $"insert into grow_1 select g, 0, 'some text for row '||g from generate_series(1, {RowsBefore}) g",
        $"create publication {Publication} for table {string.Join(", ", TableNames)}",
    ];

    public override string Tables => string.Join('\n', TableNames.Select(table =>
        $$"""- public.{{table}}: { insert: { commands: [["HSET", "{{table}}:{id}", "{pairs:*}"]] }, update: { commands: [["HSET", "{{table}}:{id}", "{pairs:*}"]] } }"""));
}

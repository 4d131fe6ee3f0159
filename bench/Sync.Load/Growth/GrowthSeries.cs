namespace Sync.Load.Growth;

/// <param name="X">Where it stands in its series.</param>
/// <param name="Workload">What to drain.</param>
/// <param name="Variant">Settings of our node; null for its defaults.</param>
sealed record GrowthPoint(double X, GrowthWorkload Workload, NodeVariant? Variant = null);

/// <summary>Something that grows while all else stays as it is.</summary>
/// <param name="Name">Of the drawing's file.</param>
/// <param name="Title">Above the table and in the drawing.</param>
/// <param name="Axis">What <see cref="GrowthPoint.X"/> is.</param>
/// <param name="Points">From the smallest on.</param>
sealed record GrowthSeries(string Name, string Title, string Axis, IReadOnlyList<GrowthPoint> Points)
{
    const int rowsPerTransaction = 100;
    const long mostBytes = 500_000_000;

    // Prime, so that the rows of a transaction differ.
    const int stride = 611953;

    /// <param name="rows">Row changes of an ordinary point; points that need many times more are left out.</param>
    public static IReadOnlyList<GrowthSeries> All(int rows)
    {
        int size = rows / 4 / rowsPerTransaction * rowsPerTransaction;
        return
        [
            new("keys", "Distinct keys", "distinct keys", [.. Up(5 * rows / 2, 10_000, 100_000, 1_000_000, 5_000_000).Select(keys => new GrowthPoint(keys, Updates(Math.Max(size, keys), keys)))]),
            new("workers", "Flush workers", "connections that write", [.. new[] { 1, 2, 4, 8, 16, 32 }.Select(workers =>
                new GrowthPoint(workers, Inserts(size, rowsPerTransaction, 1, 20), new NodeVariant($"{workers} workers", new Dictionary<string, string> { ["ACTORSYNC_FLUSHWORKERS"] = $"{workers}" })))]),
            new("tables", "Tables", "tables", [.. new[] { 1, 5, 20, 100, 500 }.Select(tables => new GrowthPoint(tables, Inserts(size, rowsPerTransaction, tables, 20)))]),
            new("row-size", "Size of a row", "bytes of the row's text", [.. new[] { 100, 1000, 10_000, 100_000 }.Select(bytes =>
                new GrowthPoint(bytes, Inserts((int)Math.Min(size, mostBytes / bytes) / rowsPerTransaction * rowsPerTransaction, rowsPerTransaction, 1, bytes)))]),
            new("transaction", "Size of a transaction", "rows in a transaction", [.. Up(rows, 10, 100, 1000, 10_000, 100_000, 1_000_000).Select(perTransaction =>
                new GrowthPoint(perTransaction, Inserts(Math.Max(size / perTransaction, 1) * perTransaction, perTransaction, 1, 20)))]),
        ];
    }

    static IEnumerable<int> Up(int most, params int[] values) => values.Where(value => value <= most);

    /// <summary>Updates that go round all rows of one table.</summary>
    static GrowthWorkload Updates(int size, int keys) => new()
    {
        Size = size,
        DistinctKeys = keys,
        RowsBefore = keys,
        Change = $"""
            do $$ begin for i in 0..{size / rowsPerTransaction - 1} loop
              update grow_1 set number = number + 1
                where id = any(array(select 1+((i::bigint*{rowsPerTransaction}+k)*{stride})%{keys} from generate_series(0,{rowsPerTransaction - 1}) k));
              commit; end loop; end $$
            """,
    };

    /// <summary>Inserts, a transaction after the other, each into the next table.</summary>
    static GrowthWorkload Inserts(int size, int perTransaction, int tables, int bytes) => new()
    {
        Size = size,
        DistinctKeys = size,
        TableCount = tables,
        Change = $"""
            do $$ begin for i in 0..{size / perTransaction - 1} loop
              execute format('insert into grow_%s select g, 0, rpad(g::text, {bytes}, ''some text '') from generate_series({perTransaction}::bigint*%s+1, {perTransaction}::bigint*(%s+1)) g',
                1+i%{tables}, i, i);
              commit; end loop; end $$
            """,
    };
}

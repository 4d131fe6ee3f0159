namespace Sync.Load.Workloads;

/// <summary>Rows of 60 columns, about 900 bytes of text, each a hash.</summary>
sealed class WideWorkload(int rows) : RowsWorkload(rows)
{
    const int texts = 20, numbers = 20, amounts = 10, times = 9;

    public override string Name => "wide";

    protected override string Columns => string.Join(", ", [
        "id bigint primary key", .. Each(texts, i => $"t{i} text"), .. Each(numbers, i => $"n{i} int"),
        .. Each(amounts, i => $"m{i} numeric(12,2)"), .. Each(times, i => $"z{i} timestamptz")]);

    protected override string Values => string.Join(", ", [
        "g", .. Each(texts, i => $"'text {i} of '||g"), .. Each(numbers, i => $"g*{i}%1000003"),
        .. Each(amounts, i => $"(g::bigint*{7919 + i}%10000000)/100.0"),
        .. Each(times, i => $"'2026-0{i}-01 00:00:00.123456+00'::timestamptz + g*interval '1 second'")]);

    protected override string Update => "n1=n1+1, m1=m1+1.5, t1='updated', z1=z1+interval '1 day'";

    protected override string Expected => $"array[{string.Join(", ", [
        Field("id"), .. Each(texts, i => Field($"t{i}")), .. Each(numbers, i => Field($"n{i}")),
        .. Each(amounts, i => Field($"m{i}")), .. Each(times, i => Field($"z{i}"))])}]";

    protected override string Command => """["HSET", "user:{id}", "{pairs:*}"]""";

    static string Field(string column) => $"'{column}', r.{column}::text";

    static IEnumerable<string> Each(int count, Func<int, string> text) => Enumerable.Range(1, count).Select(text);
}

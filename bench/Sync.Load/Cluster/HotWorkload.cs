using Sync.Load.Workloads;

namespace Sync.Load.Cluster;

/// <summary>Updates that go round the rows of a table, two rows each. When it is hot, one of the two is the same row every time, so that half of all changes are of one key.</summary>
/// <param name="rows">Row changes, even, at least twice <see cref="keys"/>.</param>
/// <param name="isHot">Whether there is such a row.</param>
sealed class HotWorkload(int rows, bool isHot) : Workload
{
    const int keys = 50_000, perTransaction = 50;

    // Prime, so that rows that follow each other are far apart.
    const int stride = 611_953;

    public override string Name => isHot ? "hot" : "even";
    public override int Rows => rows / perTransaction * perTransaction;
    public override string Publication => "hot_pub";

    public override IReadOnlyList<string> Schema =>
    [
        "create table hot(id int primary key, number int not null, body text not null) with (fillfactor = 50)",
        $"insert into hot select g, 0, 'some text for row '||g from generate_series(0, {keys}) g",
        $"create publication {Publication} for table hot",
    ];

    public override IReadOnlyList<string> Changes =>
    [
        $"""
        do $$ begin for i in 0..{Rows / perTransaction - 1} loop
          for k in 0..{perTransaction / 2 - 1} loop
            update hot set number = number + 1 where id in ({Row(isHot ? 1 : 2, 0)}, {(isHot ? "0" : Row(2, 1))});
          end loop;
          commit; end loop; end $$
        """,
    ];

    /// <summary>The rows from 1 on, one after the other.</summary>
    static string Row(int step, int offset) => $"1+(((i::bigint*{perTransaction / 2}+k)*{step}+{offset})*{stride})%{keys}";

    public override string KeyCount => $"select {keys + (isHot ? 1 : 0)}::bigint";

    public override string Sample => """
        select 'hot:'||id, array['id', id::text, 'number', number::text, 'body', body] from hot where number > 0 and id % 101 = 0
        """;

    public override string Tables => """- public.hot: { update: { commands: [["HSET", "hot:{id}", "{pairs:*}"]] } }""";
}

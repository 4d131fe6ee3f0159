using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Rows;
using Sync.Postgres.Snapshots;

namespace Sync.Postgres.Tests.Snapshots;

public class SnapshotQueryTests
{
    [Fact]
    public void Ranges_should_cover_every_block_exactly_once_and_end_open() =>
        Prop.ForAll<uint, PositiveInt, PositiveInt>((pages, workers, rangePages) =>
        {
            long total = pages % 100_000;
            var ranges = SnapshotQuery.Split(total, workers.Get % 32 + 1, Math.Max(16, rangePages.Get));
            long at = 0;
            for (int i = 0; i < ranges.Count; i++)
            {
                ranges[i].From.ShouldBe(at);
                if (i == ranges.Count - 1) ranges[i].Until.ShouldBeNull();
                else
                {
                    ranges[i].Until!.Value.ShouldBeGreaterThan(at);
                    at = ranges[i].Until!.Value;
                }
            }
            at.ShouldBeLessThanOrEqualTo(total);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_large_table_should_be_cut_for_its_workers()
    {
        SnapshotQuery.Split(100_000, 1, 8192).Count.ShouldBe(13);
        SnapshotQuery.Split(100_000, 4, 8192).Count.ShouldBe(16);
        SnapshotQuery.Split(10, 4, 8192).ShouldBe([new PageRange(0, null)]);
        SnapshotQuery.Split(0, 4, 8192).ShouldBe([new PageRange(0, null)]);
    }

    [Fact]
    public void Statement_should_quote_names_and_keep_conditions_apart()
    {
        var relation = new Relation
        {
            Oid = 1,
            Schema = "S\"x",
            Name = "t",
            Identity = ReplicaIdentity.Default,
            Columns = [new("id", 23, ColumnType.Text, true), new("Odd \"name", 25, ColumnType.Text, false)],
            PrimaryKey = [0],
        };
        var target = new SnapshotTarget(relation, "a = 1 or b -- all", "c");
        SnapshotQuery.Build(target, new SnapshotLeaf(1, "S\"x", "t", 9), new PageRange(3, 7)).ShouldBe(
            "COPY (SELECT \"t\".\"id\", \"t\".\"Odd \"\"name\" FROM ONLY \"S\"\"x\".\"t\" WHERE \"t\".ctid >= '(3,0)'::tid AND \"t\".ctid < '(7,0)'::tid AND (\nc\n) AND (\na = 1 or b -- all\n)) TO STDOUT");
        SnapshotQuery.Build(target with { Query = null, RowFilter = null }, new SnapshotLeaf(2, "p", "t_1", 9), new PageRange(0, null)).ShouldBe(
            "COPY (SELECT \"t\".\"id\", \"t\".\"Odd \"\"name\" FROM ONLY \"p\".\"t_1\" AS \"t\") TO STDOUT");
    }
}

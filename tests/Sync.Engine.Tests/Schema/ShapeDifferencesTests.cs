using Sync.Contracts.Schema;
using Sync.Engine.Schema;

namespace Sync.Engine.Tests.Schema;

public class ShapeDifferencesTests
{
    static readonly TableShape shape = new()
    {
        Oid = 100,
        File = 200,
        Key = ["id"],
        Columns = [new("id", 1, 23, "500"), new("mood", 2, 900, "500") { Labels = ["1:sad", "2:glad"] }],
        Leaves = [new(300, "public.p1", 301, false)],
        Member = 7,
        Settings = "500",
        Published = ["id", "mood"],
        Operations = ["insert", "update", "delete", "truncate"],
    };

    static string Find(TableShape? now) => string.Join("; ", ShapeDifferences.Find(shape, now).Select(d => $"{d.Effect}: {d.Text}"));

    [Fact]
    public void The_same_shape_should_have_no_difference() => Find(shape with { }).ShouldBe("");

    [Fact]
    public void Another_table_should_replace_what_is_known()
    {
        Find(null).ShouldBe("Replace: does not exist any more under this name");
        Find(shape with { Oid = 101 }).ShouldStartWith("Replace: is another table of this name now");
    }

    [Fact]
    public void A_rewrite_alone_should_be_none_and_with_an_altered_column_be_one()
    {
        Find(shape with { File = 201 }).ShouldBe("", "VACUUM FULL and TRUNCATE do the same");
        var altered = shape with { Columns = [new("id", 1, 23, "501"), shape.Columns[1]] };
        Find(altered).ShouldBe("", "a new default does the same");
        Find(altered with { File = 201 }).ShouldBe("Reread: was rewritten, with other values in its column id");
        Find(altered with { Leaves = [new(300, "public.p1", 302, false)] }).ShouldContain("was rewritten, with other values in its column id");
    }

    [Fact]
    public void Columns_that_come_go_and_change_should_be_named()
    {
        Find(shape with { Columns = [.. shape.Columns, new("new", 3, 25, "500")], Published = ["id", "mood", "new"] }).ShouldBe("Reread: has the new column new");
        Find(shape with { Columns = [shape.Columns[0]], Published = ["id"] }).ShouldBe("Reread: has no column mood any more");
        Find(shape with { Columns = [shape.Columns[0], shape.Columns[1] with { Name = "temper" }], Published = ["id", "temper"] }).ShouldBe("Reread: calls its column mood temper now");
        Find(shape with { Columns = [shape.Columns[0] with { Type = 20 }, shape.Columns[1]] }).ShouldBe("Reread: has another type for its column id");
        Find(shape with { Key = ["mood"] }).ShouldBe("Reread: has the primary key (mood) instead of (id)");
    }

    [Fact]
    public void A_renamed_label_should_be_a_difference_and_a_new_one_not()
    {
        Find(shape with { Columns = [shape.Columns[0], shape.Columns[1] with { Labels = ["1:sad", "2:glad", "3:so:so"] }] }).ShouldBe("");
        Find(shape with { Columns = [shape.Columns[0], shape.Columns[1] with { Labels = ["1:blue", "2:glad"] }] }).ShouldBe("Reread: has a new name for the value sad of the enum in its column mood");
    }

    [Fact]
    public void The_publication_should_be_compared()
    {
        Find(shape with { Member = 0 }).ShouldBe("Reconnect: was taken out of the publication");
        Find(shape with { Member = 8 }).ShouldBe("Gap: was out of the publication for a time");
        Find(shape with { Filter = "(id > 5)" }).ShouldBe("Gap: is published with the row filter (id > 5), not any more with all rows");
        Find(shape with { Published = ["id"] }).ShouldBe("Reread: is published with the columns id");
        Find(shape with { Published = null }).ShouldBe("", "that is all of them as well");
        Find(shape with { Settings = "501" }).ShouldBe("Gap: may lack changes, because the settings of its publication were changed");
        Find(shape with { Operations = ["insert"] }).ShouldBe("Reconnect: is published without update, delete, truncate");
    }

    [Fact]
    public void Partitions_should_be_compared()
    {
        Find(shape with { Leaves = [.. shape.Leaves, new(310, "public.p2", 311, IsAttached: false)] }).ShouldBe("", "its rows come with the stream");
        Find(shape with { Leaves = [.. shape.Leaves, new(310, "public.p2", 311, IsAttached: true)] }).ShouldBe("Gap: has the partition public.p2, which was attached with its rows");
        Find(shape with { Leaves = [new(300, "public.p1", 302, false)] }).ShouldBe("Gap: has the partition public.p1, which was truncated or rewritten");
        var placed = shape with { Leaves = [new(300, "public.p1", 301, false, "500")] };
        Find(placed).ShouldBe("", "an earlier version did not keep it");
        ShapeDifferences.Find(placed, placed with { Leaves = [new(300, "public.p1", 301, true, "501")] }).Single().ToString().ShouldContain("has the partition public.p1, which was detached for a time");
        Find(shape with { Leaves = [] }).ShouldBe("Gap: has no partition public.p1 any more");
    }
}

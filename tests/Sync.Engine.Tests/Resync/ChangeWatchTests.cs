using Sync.Contracts.Rows;
using Sync.Engine.Resync;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Resync;

public class ChangeWatchTests
{
    static readonly Relation Rows = Relation("a/Integer b v", "b,a");
    static readonly SnapshotSight Before10 = SnapshotSight.Parse("10:10:");
    static readonly SnapshotSight Before20 = SnapshotSight.Parse("20:20:");

    [Fact]
    public void A_change_that_a_reading_does_not_show_should_make_it_old()
    {
        var watch = new ChangeWatch();
        Note(watch, ChangeKind.Update, 10, ["1", "x", "new"], null);
        watch.IsNewer(["x", "1"], Before10).ShouldBeTrue();
        watch.IsNewer(["x", "1"], Before20).ShouldBeFalse();
        watch.IsNewer(["1", "x"], Before10).ShouldBeFalse("keys are in the order of the primary key");
    }

    [Fact]
    public void A_changed_key_should_count_for_both_rows_and_a_delete_for_its_own()
    {
        var watch = new ChangeWatch();
        Note(watch, ChangeKind.Update, 10, ["2", "x", Unchanged], ["1", "x", Missing]);
        Note(watch, ChangeKind.Delete, 10, null, ["3", "x", Missing]);
        foreach (string a in (string[])["1", "2", "3"]) watch.IsNewer(["x", a], Before10).ShouldBeTrue(a);
        watch.Count.ShouldBe(3);
        watch.Forget(Before10);
        watch.Count.ShouldBe(3);
        watch.Forget(Before20);
        watch.Count.ShouldBe(0);
    }

    [Fact]
    public void Too_many_rows_or_an_unknown_key_should_spoil_it_until_it_begins_anew()
    {
        var watch = new ChangeWatch(capacity: 2);
        for (int i = 0; i < 2; i++) Note(watch, ChangeKind.Insert, 10, [$"{i}", "x", ""], null);
        Note(watch, ChangeKind.Update, 11, ["1", "x", ""], null);
        watch.IsSpoiled.ShouldBeFalse();
        Note(watch, ChangeKind.Insert, 11, ["9", "x", ""], null);
        watch.IsSpoiled.ShouldBeTrue();
        watch.IsNewer(["x", "77"], Before20).ShouldBeTrue("nothing is known");
        watch.Restart();
        watch.IsNewer(["x", "1"], Before10).ShouldBeFalse();
        Note(watch, ChangeKind.Delete, 12, null, ["1", Missing, Missing]);
        watch.IsSpoiled.ShouldBeTrue();
    }

    static void Note(ChangeWatch watch, ChangeKind kind, uint transaction, string?[]? now, string?[]? old)
    {
        var (data, cells) = now is null ? ([], []) : Image(now);
        var (oldData, oldCells) = old is null ? ([], []) : Image(old);
        watch.Note(new RowChange { Relation = Rows, Kind = kind, New = new RowTuple(data, cells), Old = new RowTuple(oldData, oldCells), TransactionId = transaction });
    }
}

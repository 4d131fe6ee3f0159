using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Cluster;
using Sync.Contracts.Cluster.Wire;
using Sync.Contracts.Rows;

namespace Sync.Contracts.Tests.Cluster;

public class LaneFramesTests
{
    static byte[] Encode(LaneRows rows) => ClusterWire.ToBytes(new LaneBatch(int.MaxValue, long.MaxValue, long.MaxValue, long.MaxValue, rows)).Bytes;

    [Fact]
    public void Parts_should_fit_into_a_frame_and_be_the_same_rows_in_order() =>
        Prop.ForAll(Gen.Choose(1, 60).SelectMany(MessageSamples.Rows).ToArbitrary(), Gen.Choose(400, 4000).ToArbitrary(), (rows, limit) =>
        {
            var parts = LaneFrames.Split(rows, limit);
            foreach (var part in parts)
            {
                part.Count.ShouldBeGreaterThan(0);
                if (part.Count > 1) Encode(part).Length.ShouldBeLessThanOrEqualTo(limit);
            }
            MessageText.LinesOf(Together(parts)).ShouldBe(MessageText.LinesOf(rows));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_a_batch_takes_at_most_should_never_be_too_low() =>
        Prop.ForAll(Gen.Choose(0, 60).SelectMany(MessageSamples.Rows).ToArbitrary(), rows =>
            Encode(rows).Length.ShouldBeLessThanOrEqualTo((int)LaneFrames.MostBytes(rows))).QuickCheckThrowOnFailure();

    [Fact]
    public void A_row_larger_than_a_frame_should_go_alone()
    {
        LaneRow Row(ulong step, int bytes) => new(new Position(new Lsn(1), step), bytes, 3, 1, 0, ChangeKind.Insert, 5);
        var rows = MessageSamples.Joined([Row(0, 100), Row(2, 5000), Row(4, 100), Row(6, 100)], new LaneRowText(2, "can't"));
        var parts = LaneFrames.Split(rows, 1000);
        parts.Select(part => part.Count).ShouldBe([1, 1, 2]);
        parts[1].Bytes.ShouldBe(5003);
        parts[2].Errors.ShouldBe([new LaneRowText(0, "can't")]);
    }

    [Fact]
    public void What_fits_should_stay_whole()
    {
        var rows = MessageSamples.Joined([new LaneRow(new Position(new Lsn(1), 0), 100, 3, 1, 0, ChangeKind.Insert, 5)]);
        LaneFrames.Split(rows).ShouldBe([rows]);
    }

    [Fact]
    public void Rows_at_or_before_a_position_should_be_counted_from_the_begin()
    {
        LaneRow Row(ulong commit) => new(new Position(new Lsn(commit), 0), 1, 1, 1, 0, ChangeKind.Insert, 5);
        var rows = MessageSamples.Joined([Row(10), Row(20), Row(30)]);
        rows.CountThrough(Position.None).ShouldBe(0);
        rows.CountThrough(new Position(new Lsn(20), 0)).ShouldBe(2);
        rows.CountThrough(new Position(new Lsn(99), 0)).ShouldBe(3);
        MessageSamples.Joined([Row(0), Row(0)]).CountThrough(new Position(new Lsn(99), 0)).ShouldBe(0, "rows of a copy have no position");
    }

    static LaneRows Together(IReadOnlyList<LaneRows> parts)
    {
        var errors = new List<LaneRowText>();
        int before = 0;
        foreach (var part in parts)
        {
            errors.AddRange(part.Errors.Select(error => error with { Row = error.Row + before }));
            before += part.Count;
        }
        return new LaneRows(
            parts.SelectMany(part => part.Body.ToArray()).ToArray(), parts.SelectMany(part => part.Keys.ToArray()).ToArray(),
            parts.SelectMany(part => part.Rows.ToArray()).ToArray(), errors);
    }
}

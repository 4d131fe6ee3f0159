using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts;
using Sync.Engine.Progress;

namespace Sync.Engine.Tests.Progress;

public class LanePositionsTests
{
    [Fact]
    public void Merged_position_should_be_the_highest_that_covers_the_lane_whatever_the_history_of_workers() =>
        Prop.ForAll<(byte Lanes, (byte Workers, byte Worker, ushort Step)[] History)>(input =>
        {
            int lanes = input.Lanes % 40 + 1;
            var fields = new Dictionary<string, string>();
            var expected = new Position[lanes];
            foreach (var (w, i, step) in input.History)
            {
                // Workers 0 stands for a lane's own field.
                var position = At(step);
                int workers = w % 33;
                if (workers == 0)
                    fields[LanePositions.LaneField(i % lanes)] = position.ToString();
                else
                    fields[LanePositions.WorkerField(workers, i % workers)] = position.ToString();
            }
            foreach (var (w, i, _) in input.History)
            {
                int workers = w % 33;
                string field = workers == 0 ? LanePositions.LaneField(i % lanes) : LanePositions.WorkerField(workers, i % workers);
                Position.TryParse(fields[field], out var recorded).ShouldBeTrue();
                for (int lane = 0; lane < lanes; lane++)
                {
                    bool covers = workers == 0 ? lane == i % lanes : lane % workers == i % workers;
                    if (covers && recorded > expected[lane]) expected[lane] = recorded;
                }
            }
            var merged = LanePositions.Merge(lanes, fields);
            for (int lane = 0; lane < lanes; lane++) merged[lane].ShouldBe(expected[lane]);
            merged.Highest.ShouldBe(expected.Max());
            merged.Lowest.ShouldBe(expected.Min());
            merged.WorkerFields.ShouldBe(fields.Keys.Where(name => name.StartsWith("w:")), ignoreOrder: true);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Folding_into_lanes_and_going_on_with_another_number_of_workers_should_never_take_a_lane_back() =>
        Prop.ForAll<(byte Workers, ushort[] Steps)[]>(runs =>
        {
            const int lanes = 16;
            var fields = new Dictionary<string, string>();
            var highest = new Position[lanes];
            foreach (var (w, steps) in runs)
            {
                // Each run folds as ProgressStore does, then its workers record growing positions.
                var start = LanePositions.Merge(lanes, fields);
                for (int lane = 0; lane < lanes; lane++)
                {
                    start[lane].ShouldBe(highest[lane]);
                    if (start[lane] != Position.None) fields[LanePositions.LaneField(lane)] = start[lane].ToString();
                }
                foreach (string stale in start.WorkerFields) fields.Remove(stale);
                int workers = w % 8 + 1;
                var reached = start.Highest;
                for (int i = 0; i < steps.Length; i++)
                {
                    int worker = i % workers;
                    reached = new Position(reached.Commit, reached.Step + steps[i] + 1UL);
                    fields[LanePositions.WorkerField(workers, worker)] = reached.ToString();
                    for (int lane = worker; lane < lanes; lane += workers) highest[lane] = reached;
                }
            }
            var end = LanePositions.Merge(lanes, fields);
            for (int lane = 0; lane < lanes; lane++) end[lane].ShouldBe(highest[lane]);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Merge_should_keep_system_and_lanes_and_pass_over_unknown_fields()
    {
        var merged = LanePositions.Merge(4, new Dictionary<string, string>
        {
            ["system"] = "73",
            ["lanes"] = "4",
            ["future"] = "x",
            ["lane:x"] = "x",
            ["w:2"] = "x",
            ["w:2:2"] = "x",
            ["w:0:0"] = "x",
        });
        merged.System.ShouldBe("73");
        merged.RecordedLanes.ShouldBe(4);
        merged.Highest.ShouldBe(Position.None);
        merged.WorkerFields.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("lane:1", "x")]
    [InlineData("lane:4", "00000000000010000000000000000007")]
    [InlineData("w:2:1", "0")]
    [InlineData("lanes", "0")]
    [InlineData("lanes", "-1")]
    public void Merge_should_refuse_a_field_of_ours_it_can_not_read(string name, string value) =>
        Should.Throw<FormatException>(() => LanePositions.Merge(4, new Dictionary<string, string> { [name] = value })).Message.ShouldContain($"'{name}'");

    [Fact]
    public void Snapshot_marks_should_read_back() =>
        Prop.ForAll<(ulong Lsn, SnapshotState State, NonNegativeInt Rows)>(input =>
        {
            var mark = new SnapshotMark(new Lsn(input.Lsn), input.State, input.Rows.Get);
            SnapshotMark.TryParse(mark.ToString(), out var read).ShouldBeTrue();
            read.ShouldBe(mark);
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("0/1 done")]
    [InlineData("0/1 finished 5")]
    [InlineData("x done 5")]
    [InlineData("0/1 done -5")]
    public void Snapshot_mark_should_refuse_other_text(string? text) => SnapshotMark.TryParse(text, out _).ShouldBeFalse();

    static Position At(ushort step) => new(new Lsn(1), step);
}

using Sync.Contracts;
using Sync.Engine.Progress;

namespace Sync.Engine.Tests.Progress;

/// <summary>Whether the log of a server is the one that Redis follows.</summary>
public sealed class HistoryCheckTests
{
    static LogHistory Log(string text, string system = "1") => LogHistory.TryParse(system, text, out var log) ? log : throw new FormatException(text);

    static HistoryFinding Find(string? held, ulong known, ulong through, string server, ulong end, string system = "1") =>
        HistoryCheck.Find(new HeldHistory(held is null ? null : held == "unknown" ? new LogHistory("1", 0, null) : Log(held), new Lsn(known), new Lsn(through)), Log(server, system), new Lsn(end));

    [Theory]
    // Nothing is known yet, or it goes on.
    [InlineData(null, 0, 0, "1", 10, HistoryVerdict.Same, 10)]
    [InlineData("1", 100, 90, "1", 100, HistoryVerdict.Same, 100)]
    [InlineData("2 1@0/10", 100, 90, "2 1@0/10", 100, HistoryVerdict.Same, 100)]
    [InlineData("2", 100, 90, "2 1@0/10", 100, HistoryVerdict.Same, 100)]
    [InlineData("unknown", 100, 90, "3 1@0/10 2@0/20", 100, HistoryVerdict.Same, 100)]
    // The log is shorter than it was.
    [InlineData("1", 100, 90, "1", 99, HistoryVerdict.WentBack, 99)]
    [InlineData("unknown", 100, 90, "1", 99, HistoryVerdict.WentBack, 99)]
    // A later timeline: the place is in hexadecimal digits.
    [InlineData("1", 100, 80, "2 1@0/50", 200, HistoryVerdict.Promoted, 0x50)]
    [InlineData("1", 100, 81, "2 1@0/50", 200, HistoryVerdict.Forked, 0x50)]
    [InlineData("1", 100, 80, "3 1@0/50 2@0/60", 200, HistoryVerdict.Promoted, 0x50)]
    [InlineData("2 1@0/10", 100, 81, "3 1@0/10 2@0/50", 200, HistoryVerdict.Forked, 0x50)]
    [InlineData("1", 100, 0, "2 1@0/50", 200, HistoryVerdict.Promoted, 0x50)]
    // Another branch.
    [InlineData("2 1@0/10", 100, 5, "3 1@0/10", 200, HistoryVerdict.Unrelated, 200)]
    [InlineData("2 1@0/10", 100, 5, "3 1@0/20 2@0/50", 200, HistoryVerdict.Unrelated, 200)]
    [InlineData("2 1@0/10", 100, 90, "2 1@0/20", 200, HistoryVerdict.Unrelated, 200)]
    [InlineData("1", 100, 90, "2", 200, HistoryVerdict.Unrelated, 200)]
    // Back to a timeline of before.
    [InlineData("2 1@0/10", 100, 90, "1", 200, HistoryVerdict.Older, 200)]
    public void A_log_should_be_known_by_its_timelines_and_its_end(string? held, ulong known, ulong through, string server, ulong end, HistoryVerdict verdict, ulong at) =>
        Find(held, known, through, server, end).ShouldBe(new HistoryFinding(verdict, new Lsn(at)));

    [Fact]
    public void Another_cluster_should_be_told_from_all_else() => Find("1", 1, 1, "1", 200, system: "2").Verdict.ShouldBe(HistoryVerdict.OtherSystem);

    [Fact]
    public void A_history_should_be_read_as_it_was_written()
    {
        var log = new LogHistory("7", 3, [new TimelineFork(1, new Lsn(0x1_0000_0050)), new TimelineFork(2, new Lsn(0x2_0000_0060))]);
        log.Text.ShouldBe("3 1@1/50 2@2/60");
        var again = Log(log.Text, "7");
        (again.System, again.Timeline).ShouldBe(("7", 3u));
        again.Forks.ShouldBe(log.Forks);
        Log("1").Forks.ShouldNotBeNull().ShouldBeEmpty();
        Log("4").Forks.ShouldBeNull();
        foreach (string wrong in new[] { "", "x", "0", "2 1", "2 1@x", "2 x@0/1" }) LogHistory.TryParse("7", wrong, out _).ShouldBeFalse(wrong);
    }

    [Fact]
    public void A_history_file_of_PostgreSQL_should_be_understood() =>
        LogHistory.ParseFile("1\t0/3000060\tno recovery target specified\n\n2\t16/B374D848\tbefore 2026-01-01 00:00:00+00\n")
            .ShouldBe([new TimelineFork(1, Lsn.Parse("0/3000060")), new TimelineFork(2, Lsn.Parse("16/B374D848"))]);
}

/// <summary>Transactions that have to come again.</summary>
public sealed class LandmarkWatchTests
{
    static Landmark At(ulong commit, uint transaction = 7, long ticks = 70) => new(new Lsn(commit), transaction, ticks);

    static LandmarkWatch Expect(ulong begin, params Landmark[] landmarks) => new(new Lsn(begin), landmarks);

    [Fact]
    public void What_comes_again_should_close_the_watch()
    {
        var watch = Expect(50, At(100), At(110, 0, 0));
        watch.IsOpen.ShouldBeTrue();
        watch.Began(At(60, 1)).ShouldBeNull();
        watch.Began(At(100)).ShouldBeNull();
        watch.IsOpen.ShouldBeTrue();
        watch.Began(At(110, 9)).ShouldBeNull();
        watch.IsOpen.ShouldBeFalse();
        watch.Began(At(500, 10)).ShouldBeNull();
    }

    [Fact]
    public void Two_of_one_place_should_be_closed_by_one() => Closed(Expect(50, At(100), At(100, 0, 0)), At(100)).ShouldBeTrue();

    static bool Closed(LandmarkWatch watch, Landmark transaction) => watch.Began(transaction) is null && !watch.IsOpen;

    [Fact]
    public void What_does_not_come_should_be_told()
    {
        Expect(50, At(100)).Began(At(101)).ShouldBe(At(100));
        Expect(50, At(100)).Began(At(100, 8)).ShouldBe(At(100));
        Expect(50, At(100)).Began(At(100, 7, 71)).ShouldBe(At(100));
        Expect(50, At(100, 0, 0)).Began(At(102)).ShouldBe(At(100, 0, 0));
        Expect(50, At(100)).Passed(new Lsn(101)).ShouldBe(At(100));
        Expect(50, At(100)).Passed(new Lsn(100)).ShouldBeNull();
    }

    [Fact]
    public void What_committed_before_the_begin_should_not_be_waited_for()
    {
        Expect(101, At(100), At(0)).IsOpen.ShouldBeFalse();
        Expect(100, At(100)).IsOpen.ShouldBeTrue();
    }

    [Fact]
    public void A_landmark_should_be_read_as_it_was_written()
    {
        var landmark = new Landmark(Lsn.Parse("16/B374D848"), uint.MaxValue, 638_400_000_000_000_000);
        Landmark.TryParse(landmark.ToString(), out var again).ShouldBeTrue();
        again.ShouldBe(landmark);
        foreach (string wrong in new[] { "", "0/1 2", "x 2 3", "0/1 x 3", "0/1 2 x" }) Landmark.TryParse(wrong, out _).ShouldBeFalse(wrong);
    }

    [Fact]
    public void The_tracker_should_tell_the_last_transaction_that_is_applied()
    {
        var tracker = new ProgressTracker(1, new Lsn(10));
        tracker.Reached.ShouldBe((new Lsn(10), default));
        tracker.Begun(0, 1);
        tracker.Committed(1, new Lsn(21), At(20, 1));
        tracker.Begun(0, 2);
        tracker.Committed(2, new Lsn(31), At(30, 2));
        tracker.Reached.Landmark.ShouldBe(default);
        tracker.Applied(0);
        tracker.Reached.ShouldBe((new Lsn(21), At(20, 1)));
        tracker.Applied(0);
        tracker.Idle(new Lsn(99));
        tracker.Reached.ShouldBe((new Lsn(99), At(30, 2)));
    }
}

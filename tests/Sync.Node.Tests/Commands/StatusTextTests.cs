using Sync.Node.Commands;
using Sync.Node.Hosting;
using Sync.Node.Tests.Http;

namespace Sync.Node.Tests.Commands;

public sealed class StatusTextTests
{
    readonly NodeStatus status = new FakeNode().Status;

    [Fact]
    public void Text_should_say_what_the_node_does_and_for_how_long()
    {
        string text = StatusText.Of(status, status.StartedAt + TimeSpan.FromMinutes(125));
        text.ShouldContain("state         streaming\n");
        text.ShouldContain("version       9.9.9, up 2 h 5 min\n");
        text.ShouldContain("lag           1.5 ms, 4.0 kB\n");
        text.ShouldMatch(@"public\.orders +7 +1 +2  -\n");
    }

    [Fact]
    public void Trouble_should_show()
    {
        var troubled = status with
        {
            State = NodeState.Reconnecting,
            Ready = false,
            Detail = "PostgreSQL at a:1 can't be used now",
            LastError = "two\nlines",
            OpenCircuits = 2,
            DeadLetters = 5,
            History = new HistoryStatus("7", 2, "PostgreSQL went back", status.StartedAt - TimeSpan.FromMinutes(3)),
            Tables = [new TableStatus("public.orders", 0, 0, 0, "column 'x' is gone", null)],
        };
        string text = StatusText.Of(troubled, status.StartedAt);
        text.ShouldContain("reconnecting: PostgreSQL at a:1 can't be used now (not ready)\n");
        text.ShouldContain("two\\nlines");
        text.ShouldContain("2 writers that Redis keeps refusing");
        text.ShouldContain("see actorsync dlq list");
        text.ShouldContain("history       PostgreSQL went back (3 min 0 s ago)\n");
        text.ShouldContain("stopped: column 'x' is gone");
    }

    [Fact]
    public void Line_should_be_one_line() =>
        StatusText.Line(status with { Detail = "a\nb" }).ShouldBe("streaming: a\\nb, applied 0/0, lag 1.5 ms 4096 B, 0 rows/s, 0 dead letters");

    [Theory]
    [InlineData(0, "░░░░░░░░░░░░░░░░░░░░   0 %")]
    [InlineData(60, "████████████░░░░░░░░  60 %")]
    [InlineData(100, "████████████████████ 100 %")]
    [InlineData(250, "████████████████████")]
    public void Bar_should_show_how_far_the_copy_is(double percent, string bar) =>
        SnapshotBar.Line(new SnapshotStatus("public.orders", 6000, percent, 1200, 3, 0, 2), 200).ShouldContain(bar);

    [Theory]
    [InlineData(null, "rows  1,200/s  table 1 of 2")]
    [InlineData(3.0, "0:03 left")]
    [InlineData(3723.0, "1:02:03 left")]
    [InlineData(1e300, "99:59:59 left")]
    public void Bar_should_estimate_the_time_left(double? seconds, string expected) =>
        SnapshotBar.Line(new SnapshotStatus("public.orders", 6000, 50, 1200, seconds, 0, 2), 200).ShouldContain(expected);

    [Fact]
    public void Bar_should_never_be_wider_than_the_terminal() =>
        SnapshotBar.Line(new SnapshotStatus(new string('t', 300), 6000, 50, 1200, 3, 0, 2), 80).Length.ShouldBe(79);
}

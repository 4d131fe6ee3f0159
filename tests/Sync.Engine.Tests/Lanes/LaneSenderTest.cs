using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Engine.Lanes;
using static Sync.Engine.Tests.Lanes.LaneRowsFor;

namespace Sync.Engine.Tests.Lanes;

/// <summary>A sender, a clock, and what a lane says to it in a few letters.</summary>
public abstract class LaneSenderTest
{
    protected static readonly LaneSenderOptions options = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4), TimeSpan.FromMilliseconds(100), FirstCredit: 100);

    protected readonly LaneSender sender = new(7, 3, options);
    protected DateTimeOffset now = DateTimeOffset.UnixEpoch;

    protected void Add(int count)
    {
        for (int i = 0; i < count; i++) sender.Add(Positions(i + 1));
    }

    /// <summary>The numbers sent now, below zero of questions, each with what it says is the oldest unacknowledged.</summary>
    protected string Sent()
    {
        var sent = new List<string>();
        while (sender.Next(now) is { } message) sent.Add($"{message.Seq}({message.OldestUnacked})");
        sender.CanSend(now).ShouldBeFalse();
        return string.Join(' ', sent);
    }

    protected LaneSettled Ack(long seq, long expected, long claim = 5, long credit = 100, long epoch = 3, long answers = 0) =>
        sender.Acknowledged(new LaneAck(7, epoch, claim, seq, expected, Position.None, credit, answers), now);

    protected LaneSettled Answer(long question, long seq, long expected, long claim = 5) => Ack(seq, expected, claim, answers: question);

    protected void Resume(long expected, long claim = 5, long epoch = 3) => sender.Resumed(new LaneResume(7, epoch, claim, expected, 100), now);

    /// <summary>So many batches were sent, and a claim heard of if any; then the lane was silent for a second and is asked for the first time.</summary>
    protected void Ask(int batches, long claim = 0)
    {
        Add(batches);
        Sent();
        if (claim > 0) Ack(0, 1, claim);
        Wait(1);
        Sent().ShouldBe("-1(1)");
    }

    protected void Wait(double seconds) => now += TimeSpan.FromSeconds(seconds);

    protected static LaneSender Merging(int bytes = 1000) => new(7, 3, options with { MergeFrom = 2, MergeBytes = bytes });
}

using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;
using Sync.Engine.Lanes;
using static Sync.Engine.Tests.Lanes.LaneRowsFor;

namespace Sync.Engine.Tests.Lanes;

public class LaneSenderTests : LaneSenderTest
{
    [Fact]
    public void Batches_should_be_numbered_and_kept_until_acknowledged()
    {
        sender.IsSettled.ShouldBeTrue();
        Add(3);
        Sent().ShouldBe("1(1) 2(1) 3(1)");
        Ack(2, 4).ShouldBe(new LaneSettled(2, 2 * RowBytes));
        sender.UnackedBytes.ShouldBe(RowBytes);
        Add(1);
        Sent().ShouldBe("4(3)");
        Ack(4, 5);
        sender.IsSettled.ShouldBeTrue();
        sender.WakesAt.ShouldBeNull();
    }

    [Fact]
    public void A_batch_in_parts_should_count_with_its_last_part()
    {
        sender.Add(Positions(1), endsBatch: false);
        sender.Add(Positions(2));
        Sent();
        Ack(1, 3).ShouldBe(new LaneSettled(0, RowBytes));
        Ack(2, 3).ShouldBe(new LaneSettled(1, RowBytes));
    }

    [Fact]
    public void Acknowledgements_should_never_go_back()
    {
        Add(3);
        Sent();
        Ack(3, 4);
        Ack(1, 2).ShouldBe(default);
        sender.IsSettled.ShouldBeTrue();
    }

    [Fact]
    public void Answers_of_another_epoch_should_settle_nothing()
    {
        Add(1);
        Sent();
        Ack(1, 2, epoch: 2).ShouldBe(default);
        sender.NewestEpoch.ShouldBe(3);
        Resume(1, epoch: 4);
        sender.NewestEpoch.ShouldBe(4, "a later reader has started");
        Sent().ShouldBe("");
    }

    [Fact]
    public void Credit_should_bound_what_is_unacknowledged_but_for_one_batch()
    {
        sender.HasRoomFor(1000).ShouldBeTrue("with nothing unacknowledged a batch of any size passes");
        Add(1);
        sender.HasRoomFor(100 - RowBytes).ShouldBeTrue();
        sender.HasRoomFor(101 - RowBytes).ShouldBeFalse();
        Sent();
        Ack(0, 2, credit: 0);
        sender.HasRoomFor(1).ShouldBeFalse();
        Ack(1, 2, credit: 0);
        sender.HasRoomFor(1000).ShouldBeTrue();
    }

    [Fact]
    public void A_gap_should_be_filled_and_not_twice_at_once()
    {
        Add(4);
        Sent();
        Resume(2);
        Sent().ShouldBe("2(1) 3(1) 4(1)");
        Resume(2);
        Sent().ShouldBe("", "the same question, asked before the answer came");
        Wait(0.1);
        Resume(2);
        Sent().ShouldBe("2(1) 3(1) 4(1)");
    }

    [Fact]
    public void Another_owner_should_get_all_from_where_it_waits()
    {
        Add(4);
        Sent();
        Ack(1, 5);
        Sent().ShouldBe("");
        Resume(2, claim: 6);
        Sent().ShouldBe("2(2) 3(2) 4(2)");
    }

    [Fact]
    public void An_earlier_owner_should_be_believed_what_is_in_Redis_and_nothing_else()
    {
        Add(4);
        Sent();
        Ack(1, 5, claim: 6);
        Wait(0.5);
        Ack(2, 5, claim: 5, credit: 7).Batches.ShouldBe(1);
        sender.Credit.ShouldBe(100);
        Resume(3, claim: 5);
        Sent().ShouldBe("");
        sender.WakesAt.ShouldBe(now + TimeSpan.FromSeconds(0.5), "it does not end the silence of the present owner");
    }

    [Fact]
    public void What_waits_for_a_batch_that_is_settled_long_ago_should_get_the_oldest()
    {
        Add(4);
        Sent();
        Ack(3, 5);
        Resume(1, claim: 9);
        Sent().ShouldBe("4(4)");
    }

    [Fact]
    public void A_lane_that_speaks_of_what_was_never_sent_should_not_be_believed()
    {
        Add(1);
        Should.Throw<InvalidOperationException>(() => Ack(2, 3)).Message.ShouldContain("batch 2 of epoch 3");
    }

    [Fact]
    public void Many_unacknowledged_batches_should_keep_their_rows()
    {
        for (int i = 1; i <= 100; i++) sender.Add(Positions(i));
        for (int i = 1; i <= 100; i++)
        {
            sender.Next(now)!.Rows.Rows.Span[0].Position.ShouldBe(At(i));
            if (i == 50) Ack(30, 51);
        }
    }

    [Fact]
    public void What_comes_while_two_batches_are_under_way_should_go_together()
    {
        var merging = Merging();
        for (int i = 1; i <= 5; i++) merging.Add(Positions(i));
        merging.Next(now)!.Seq.ShouldBe(1);
        merging.Next(now)!.Seq.ShouldBe(2);
        merging.Next(now).ShouldBeNull();
        merging.UnackedBytes.ShouldBe(5 * RowBytes);
        merging.Acknowledged(new LaneAck(7, 3, 5, 1, 3, At(1), 1000), now);
        var together = merging.Next(now)!;
        together.Seq.ShouldBe(3);
        together.Rows.Rows.ToArray().Select(row => row.Position).ShouldBe([At(3), At(4), At(5)]);
        merging.Next(now).ShouldBeNull();
        merging.Acknowledged(new LaneAck(7, 3, 5, 3, 4, At(5), 1000), now).ShouldBe(new LaneSettled(4, 4 * RowBytes), "the source gave four batches since");
        merging.IsSettled.ShouldBeTrue();
        merging.WakesAt.ShouldBeNull();
    }

    [Fact]
    public void What_was_put_together_should_be_the_same_when_it_is_sent_again()
    {
        var merging = Merging();
        for (int i = 1; i <= 4; i++) merging.Add(Positions(i));
        while (merging.Next(now) is not null) { }
        merging.Acknowledged(new LaneAck(7, 3, 5, 2, 3, At(2), 1000), now);
        merging.Next(now)!.Rows.Count.ShouldBe(2);
        merging.Add(Positions(5));
        merging.Next(now)!.Rows.Count.ShouldBe(1);
        merging.Add(Positions(6));
        merging.Resumed(new LaneResume(7, 3, 6, 3, 1000), now);
        merging.Next(now)!.Rows.Rows.ToArray().Select(row => row.Position).ShouldBe([At(3), At(4)]);
        merging.Next(now)!.Rows.Rows.ToArray().Select(row => row.Position).ShouldBe([At(5)]);
        merging.Next(now).ShouldBeNull();
    }

    [Fact]
    public void Batches_put_together_should_go_when_they_are_large_and_never_with_rows_of_a_copy()
    {
        var merging = Merging(2 * RowBytes);
        for (int i = 1; i <= 6; i++) merging.Add(Positions(i));
        merging.Add(Positions(0));
        merging.Add(Positions(0));
        var sent = new List<int>();
        while (merging.Next(now) is { } message) sent.Add(message.Rows.Count);
        sent.ShouldBe([1, 1, 2, 2]);
        merging.Acknowledged(new LaneAck(7, 3, 5, 4, 5, At(6), 1000), now).Batches.ShouldBe(6);
        merging.Next(now)!.Rows.Count.ShouldBe(2);
    }

    [Fact]
    public void Rows_that_are_compared_should_not_be_put_together_with_others()
    {
        var compared = Positions(4);
        compared = compared with { Rows = new[] { compared.Rows.Span[0] with { Kind = ChangeKind.Compare } } };
        var merging = Merging();
        for (int i = 1; i <= 3; i++) merging.Add(Positions(i));
        merging.Add(compared);
        merging.Add(Positions(5));
        merging.Acknowledged(new LaneAck(7, 3, 5, 2, 3, At(2), 1000), now);
        var sent = new List<int>();
        while (merging.Next(now) is { } message) sent.Add(message.Rows.Count);
        sent.ShouldBe([1, 1]);
        merging.Acknowledged(new LaneAck(7, 3, 5, 4, 5, At(4), 1000), now);
        merging.Next(now)!.Rows.Rows.Span[0].Position.ShouldBe(At(5));
    }

    [Fact]
    public void A_lane_that_was_given_up_with_nothing_but_what_waits_should_get_it()
    {
        var merging = Merging();
        for (int i = 1; i <= 3; i++) merging.Add(Positions(i));
        while (merging.Next(now) is not null) { }
        merging.Drained(new LaneDrained(7, 3, 5, 2, At(2)), now);
        merging.IsSettled.ShouldBeFalse();
        merging.Next(now)!.Rows.Rows.Span[0].Position.ShouldBe(At(3));
    }
}

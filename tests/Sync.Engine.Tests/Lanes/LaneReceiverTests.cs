using Sync.Contracts.Cluster;
using Sync.Engine.Lanes;
using static Sync.Engine.Tests.Lanes.LaneRowsFor;

namespace Sync.Engine.Tests.Lanes;

public class LaneReceiverTests
{
    readonly LaneReceiver receiver = new(7, claim: 5, At(10), credit: 1000, TimeSpan.FromMilliseconds(50));
    DateTimeOffset now = DateTimeOffset.UnixEpoch;

    LaneReceipt Receive(long seq, long oldest, long epoch = 1, params long[] commits) =>
        receiver.Receive(new LaneBatch(7, epoch, seq, oldest, Positions(commits.Length == 0 ? [10 + seq] : commits)), now);

    LaneReceipt Ask(long oldest, long epoch = 1) => receiver.Receive(LaneBatch.Question(7, epoch, 9, oldest), now);

    LaneAck Ack(long seq, long expected, long position, long epoch = 1) => new(7, epoch, 5, seq, expected, At(position), 1000);

    [Fact]
    public void What_is_waited_for_should_be_taken_and_acknowledged_when_it_is_home()
    {
        Receive(1, 1).ShouldBe(new LaneReceipt(LaneVerdict.Taken, 0, null));
        Receive(2, 1).Verdict.ShouldBe(LaneVerdict.Taken);
        receiver.IsSettled.ShouldBeFalse();
        receiver.Home(1, At(11)).ShouldBe(Ack(1, 3, 11));
        receiver.Home(2, At(12)).ShouldBe(Ack(2, 3, 12));
        receiver.IsSettled.ShouldBeTrue();
    }

    [Fact]
    public void A_takeover_older_than_what_the_reader_counts_on_should_take_nothing_and_answer_nothing()
    {
        // Its position is above the batch's, so it would leave the rows out and acknowledge them.
        var older = new LaneReceiver(7, claim: 5, At(10), credit: 1000, TimeSpan.Zero, takenUnder: 3);
        older.Receive(new LaneBatch(7, 4, 1, 1, Positions([5])) { Since = 4 }, now).ShouldBe(new LaneReceipt(LaneVerdict.TakeAnew, 0, null));
        older.Receive(LaneBatch.Question(7, 4, 1, 1) with { Since = 4 }, now).ShouldBe(new LaneReceipt(LaneVerdict.TakeAnew, 0, null));
        older.Epoch.ShouldBe(0);
        var present = new LaneReceiver(7, claim: 6, At(0), credit: 1000, TimeSpan.Zero, takenUnder: 4);
        present.Receive(new LaneBatch(7, 4, 1, 1, Positions([5])) { Since = 4 }, now).Verdict.ShouldBe(LaneVerdict.Taken);
        present.Receive(new LaneBatch(7, 5, 1, 1, Positions([6])) { Since = 4 }, now).Verdict.ShouldBe(LaneVerdict.Taken);
    }

    [Fact]
    public void What_the_sender_counts_on_should_go_with_batches_and_questions()
    {
        var sender = new LaneSender(7, 4, LaneSenderOptions.Default) { Since = 4 };
        sender.Add(Positions([5]));
        sender.Next(now).ShouldNotBeNull().Since.ShouldBe(4);
        sender.Next(now + TimeSpan.FromMinutes(1)).ShouldNotBeNull().ShouldSatisfyAllConditions(b => b.IsQuestion.ShouldBeTrue(), b => b.Since.ShouldBe(4));
    }

    [Fact]
    public void One_answer_should_do_for_many_batches()
    {
        for (int seq = 1; seq <= 5; seq++) Receive(seq, 1);
        receiver.Home(5, At(15)).ShouldBe(Ack(5, 6, 15));
    }

    [Fact]
    public void A_new_owner_should_begin_at_the_oldest_that_is_unacknowledged()
    {
        Receive(7, 5).ShouldBe(new LaneReceipt(LaneVerdict.Gap, 0, new LaneResume(7, 1, 5, 5, 1000)));
        Receive(5, 5).Verdict.ShouldBe(LaneVerdict.Taken);
        Receive(6, 5).Verdict.ShouldBe(LaneVerdict.Taken);
        receiver.Home(2, At(16)).ShouldBe(Ack(6, 7, 16));
    }

    [Fact]
    public void What_was_acknowledged_by_another_owner_should_not_be_waited_for()
    {
        // A late copy of an old batch sets the place to begin at, and the reader has not kept what would follow.
        Receive(3, 3, 1, 9).ShouldBe(new LaneReceipt(LaneVerdict.Taken, 1, Ack(3, 4, 10)));
        Receive(6, 6, 1, 11).Verdict.ShouldBe(LaneVerdict.Taken);
    }

    [Fact]
    public void A_gap_should_be_told_once_in_an_interval()
    {
        Receive(1, 1);
        Receive(3, 1).Answer.ShouldBe(new LaneResume(7, 1, 5, 2, 1000));
        Receive(4, 1).ShouldBe(new LaneReceipt(LaneVerdict.Gap, 0, null));
        now += TimeSpan.FromMilliseconds(50);
        Receive(3, 1).Answer.ShouldNotBeNull();
        Receive(2, 1);
        Receive(4, 1).Answer.ShouldNotBeNull("another gap");
    }

    [Fact]
    public void A_duplicate_should_be_answered_at_once_with_how_things_are()
    {
        Receive(1, 1);
        Receive(2, 1);
        receiver.Home(1, At(11));
        Receive(1, 1).ShouldBe(new LaneReceipt(LaneVerdict.Duplicate, 0, Ack(1, 3, 11)));
        Receive(2, 2).ShouldBe(new LaneReceipt(LaneVerdict.Duplicate, 0, null), "said just now");
    }

    [Fact]
    public void A_question_should_be_answered_however_often_it_is_asked()
    {
        Receive(1, 1);
        Receive(2, 1);
        receiver.Home(1, At(11));
        for (int i = 0; i < 2; i++) Ask(1).ShouldBe(new LaneReceipt(LaneVerdict.Duplicate, 0, Ack(1, 3, 11) with { Answers = 9 }));
        Receive(1, 1).Answer.ShouldBe(Ack(1, 3, 11), "what is no question is answered without saying so");
    }

    [Fact]
    public void A_new_owner_that_is_asked_should_begin_at_the_oldest_that_is_unacknowledged()
    {
        Ask(5).Answer.ShouldBe(Ack(4, 5, 10) with { Answers = 9 });
        Receive(6, 5).Verdict.ShouldBe(LaneVerdict.Gap);
        Receive(5, 5).Verdict.ShouldBe(LaneVerdict.Taken);
        Ask(1, epoch: 2).Answer.ShouldBe(Ack(0, 1, 10, epoch: 2) with { Answers = 9 });
        Ask(5).Answer.ShouldBe(new LaneResume(7, 2, 5, 1, 1000), "of a reader that was replaced");
    }

    [Fact]
    public void Rows_that_the_takeover_found_in_Redis_should_be_left_out()
    {
        Receive(4, 4, 1, 8, 9, 10, 11).ShouldBe(new LaneReceipt(LaneVerdict.Taken, 3, null));
        receiver.Home(1, At(11)).ShouldBe(Ack(4, 5, 11));
    }

    [Fact]
    public void A_batch_that_is_all_in_Redis_should_be_acknowledged_at_once() =>
        Receive(4, 4, 1, 8, 9, 10).ShouldBe(new LaneReceipt(LaneVerdict.Taken, 3, Ack(4, 5, 10)));

    [Fact]
    public void A_later_reader_should_get_its_rows_acknowledged_when_those_of_the_earlier_one_are_home()
    {
        Receive(1, 1, 1, 11, 12);
        Receive(1, 1, 2, 11, 12, 13).ShouldBe(new LaneReceipt(LaneVerdict.Taken, 2, null), "11 and 12 are on their way");
        receiver.Home(2, At(12)).ShouldBeNull();
        receiver.Home(3, At(13)).ShouldBe(Ack(1, 2, 13, epoch: 2));
    }

    [Fact]
    public void A_batch_whose_rows_are_all_on_their_way_should_wait_for_them()
    {
        Receive(1, 1, 1, 11, 12);
        Receive(1, 1, 2, 11).ShouldBe(new LaneReceipt(LaneVerdict.Taken, 1, null));
        receiver.Home(2, At(12)).ShouldBe(Ack(1, 2, 12, epoch: 2));
    }

    [Fact]
    public void An_earlier_reader_should_be_told_that_it_was_replaced()
    {
        Receive(1, 1, 4);
        Receive(2, 1, 3).ShouldBe(new LaneReceipt(LaneVerdict.Outdated, 0, new LaneResume(7, 4, 5, 2, 1000)));
        Receive(3, 1, 3).Answer.ShouldBeNull();
    }

    [Fact]
    public void An_announced_reader_should_end_what_the_earlier_one_sends()
    {
        Receive(1, 1, 1);
        receiver.Hello(2);
        Receive(2, 1, 1).Verdict.ShouldBe(LaneVerdict.Outdated);
        receiver.Hello(1);
        receiver.Epoch.ShouldBe(2);
        Receive(1, 1, 2, 12).Verdict.ShouldBe(LaneVerdict.Taken);
    }

    [Fact]
    public void Rows_of_a_copy_should_never_be_left_out()
    {
        Receive(1, 1, 1, 0, 0).ShouldBe(new LaneReceipt(LaneVerdict.Taken, 0, null));
        Receive(2, 1, 1, 11).Verdict.ShouldBe(LaneVerdict.Taken);
        receiver.Home(2, Contracts.Position.None).ShouldBe(Ack(1, 3, 10));
        receiver.Home(3, At(11)).ShouldBe(Ack(2, 3, 11));
    }

    [Fact]
    public void Who_drained_should_say_how_far_it_came()
    {
        Receive(1, 1);
        receiver.Home(1, At(11));
        receiver.Drained().ShouldBe(new LaneDrained(7, 1, 5, 1, At(11)));
    }
}

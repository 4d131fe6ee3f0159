using Sync.Contracts.Cluster;
using static Sync.Engine.Tests.Lanes.LaneRowsFor;

namespace Sync.Engine.Tests.Lanes;

/// <summary>What a sender does about a lane that is silent, or that another node has now.</summary>
public class LaneSenderAskingTests : LaneSenderTest
{
    [Fact]
    public void Into_silence_should_go_a_question_only_at_growing_intervals()
    {
        Add(3);
        Sent();
        sender.WakesAt.ShouldBe(now + TimeSpan.FromSeconds(1));
        Wait(1);
        var question = sender.Next(now)!;
        question.ShouldBe(new LaneBatch(7, 3, -1, 1, LaneRows.None));
        question.IsQuestion.ShouldBeTrue();
        Wait(1.9);
        Sent().ShouldBe("");
        Wait(0.1);
        Sent().ShouldBe("-2(1)");
        Wait(4);
        Sent().ShouldBe("-3(1)");
        Wait(4);
        Sent().ShouldBe("-4(1)", "never longer than AskAtMost");
        Add(1);
        Sent().ShouldBe("", "who is asked gets nothing before the answer");
    }

    [Fact]
    public void A_lane_that_is_merely_slow_should_get_nothing_twice_but_the_question()
    {
        Ask(3);
        Answer(1, 0, 4);
        Sent().ShouldBe("");
        sender.WakesAt.ShouldBe(now + TimeSpan.FromSeconds(1));
        Add(1);
        Sent().ShouldBe("4(1)");
    }

    [Fact]
    public void What_was_on_its_way_before_the_question_should_not_be_taken_for_its_answer()
    {
        Ask(4, claim: 5);
        // Said when the lane had two batches; it has all four by now.
        Ack(1, 3);
        Resume(2);
        Sent().ShouldBe("");
        sender.WakesAt.ShouldBe(now + TimeSpan.FromSeconds(2), "it does not put the next question off");
        Answer(1, 2, 5);
        Sent().ShouldBe("");
        Add(1);
        Sent().ShouldBe("5(3)");
    }

    [Fact]
    public void The_first_word_of_an_owner_should_not_be_taken_for_its_answer()
    {
        Ask(1);
        Ack(0, 0);
        Sent().ShouldBe("", "it greeted the reader before it got anything");
        Answer(1, 0, 2);
        Sent().ShouldBe("");
    }

    [Fact]
    public void An_answer_that_was_lost_should_be_asked_for_again()
    {
        Ask(2);
        Ack(1, 2);
        Wait(2);
        Sent().ShouldBe("-2(2)");
        Answer(1, 1, 2);
        Sent().ShouldBe("2(2)", "nothing was sent between the two questions, so either will do");
    }

    [Fact]
    public void An_answer_to_what_was_asked_before_should_not_count_for_a_later_question()
    {
        Ask(2);
        Wait(2);
        Sent().ShouldBe("-2(1)");
        Answer(1, 0, 3);
        Add(1);
        Sent().ShouldBe("3(1)");
        Wait(1);
        Sent().ShouldBe("-3(1)");
        Answer(2, 0, 3);
        Sent().ShouldBe("", "it was given before the third batch came");
        Answer(3, 0, 4);
        Sent().ShouldBe("");
        Answer(3, 0, 3);
        Sent().ShouldBe("", "a late copy");
    }

    [Fact]
    public void Another_owner_that_misses_something_should_end_the_asking()
    {
        Ask(3, claim: 4);
        Resume(2, claim: 5);
        Sent().ShouldBe("2(1) 3(1)");
    }

    [Fact]
    public void Another_owner_should_be_asked_what_it_has()
    {
        Add(4);
        Sent();
        Ack(1, 5);
        Add(1);
        // The fifth batch is on its way to it.
        Ack(1, 3, claim: 6);
        Sent().ShouldBe("-1(2)");
        Answer(1, 1, 6, claim: 6);
        Sent().ShouldBe("");
        Ack(5, 6, claim: 7);
        Sent().ShouldBe("", "nothing is left to ask for");
        sender.WakesAt.ShouldBeNull();
    }

    [Fact]
    public void An_earlier_owner_that_answers_should_be_made_to_write_once_for_a_question()
    {
        // Only then does it find out that it was replaced. Who was asked after it is another one.
        Ask(2, claim: 6);
        Ack(0, 1, claim: 5);
        Sent().ShouldBe("", "it has not got the question");
        for (int i = 0; i < 2; i++) Answer(1, 0, 1, claim: 5);
        Sent().ShouldBe("1(1)");
        Answer(1, 0, 1, claim: 5);
        Sent().ShouldBe("");
        Wait(4);
        Sent().ShouldBe("-2(1)");
        Answer(2, 0, 2, claim: 5);
        Sent().ShouldBe("1(1)");
        Wait(4);
        Sent().ShouldBe("-3(1)");
        Answer(3, 0, 1, claim: 7);
        Sent().ShouldBe("1(1) 2(1)");
        Answer(3, 0, 1, claim: 5);
        Sent().ShouldBe("", "nobody is asked any more");
    }

    [Fact]
    public void A_lane_that_was_given_up_while_it_was_asked_should_be_asked_again_at_once()
    {
        Ask(2);
        sender.Drained(new LaneDrained(7, 3, 5, 1, At(1)), now);
        Sent().ShouldBe("-2(2)");
        Answer(2, 1, 2, claim: 6);
        Sent().ShouldBe("2(2)");
    }

    [Fact]
    public void What_comes_while_a_lane_is_asked_should_go_with_the_answer()
    {
        var merging = Merging(2 * RowBytes);
        for (int i = 1; i <= 2; i++) merging.Add(Positions(i));
        while (merging.Next(now) is not null) { }
        Wait(1);
        merging.Next(now)!.IsQuestion.ShouldBeTrue();
        for (int i = 3; i <= 7; i++) merging.Add(Positions(i));
        merging.Next(now).ShouldBeNull();
        merging.Acknowledged(new LaneAck(7, 3, 5, 2, 3, At(2), 1000), now);
        merging.Next(now).ShouldBeNull();
        merging.Acknowledged(new LaneAck(7, 3, 5, 2, 3, At(2), 1000, Answers: 1), now);
        var sent = new List<string>();
        while (merging.Next(now) is { } message) sent.Add($"{message.Seq}:{message.Rows.Count}");
        string.Join(' ', sent).ShouldBe("3:2 4:2");
    }

    [Fact]
    public void A_lane_that_lost_something_should_get_all_from_there()
    {
        Ask(4);
        Answer(1, 1, 3);
        Sent().ShouldBe("3(2) 4(2)");
    }

    [Fact]
    public void A_question_that_an_earlier_owner_settles_should_not_stop_what_comes_later()
    {
        // Else the sender would wait for an answer to a question about nothing.
        Add(1);
        Sent();
        Ack(0, 2, claim: 6);
        Wait(1);
        Sent().ShouldBe("-1(1)");
        Ack(1, 2, claim: 5);
        Add(1);
        Sent().ShouldBe("2(2)");
    }

    [Fact]
    public void A_lane_that_was_given_up_should_be_looked_for_at_once()
    {
        Add(3);
        Sent();
        sender.Drained(new LaneDrained(7, 3, 5, 2, At(2)), now).Batches.ShouldBe(2);
        Sent().ShouldBe("-1(3)");
        Answer(1, 2, 3, claim: 6);
        Sent().ShouldBe("3(3)");
        Ack(3, 4, claim: 6);
        sender.IsSettled.ShouldBeTrue();
    }
}

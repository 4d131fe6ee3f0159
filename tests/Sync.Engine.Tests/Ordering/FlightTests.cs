using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Ordering;
using Sync.Engine.Retry;

namespace Sync.Engine.Tests.Ordering;

public class FlightTests
{
    static readonly DateTimeOffset now = DateTimeOffset.UnixEpoch;
    static readonly byte[] command = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"u8.ToArray();

    readonly ParkedKeys parked = new();
    readonly Flight flight;

    public FlightTests() => flight = NewFlight(recordsPositions: true);

    Flight NewFlight(bool recordsPositions) => new(new FlightFilter(["t"]), parked, recordsPositions, new Position(new Lsn(7), 0));

    static Position At(int step) => new(new Lsn(100), (ulong)step);

    /// <summary>A batch of changes of these keys, at positions from <paramref name="from"/> on; one with an exclamation mark can't be expressed.</summary>
    static Batch Changes(int from, params string[] keys)
    {
        var batch = new Batch();
        foreach (string key in keys)
        {
            byte[] name = Encoding.UTF8.GetBytes(key.TrimEnd('!'));
            if (key.EndsWith('!')) batch.AddPoison(from, At(from), name, 0, ChangeKind.Insert, 0, "can't");
            else batch.Add(from, At(from), command, 1, name, 0, ChangeKind.Insert, 0);
            from++;
        }
        return batch;
    }

    static FlightResult Answer(FlightOutcome outcome, params int[] entries) =>
        new(outcome, [.. entries.Select(entry => new CommandFailure(0, entry, 0, "no", FailureClass.Poison))]);

    static string Of(IEnumerable<DeadLetter> letters) => string.Join(' ', letters.Select(l => l.Position.Step));

    string Sent => string.Join(' ', flight.Batches.SelectMany(b => b.Entries.ToArray()).Select(e => e.Position.Step));

    [Fact]
    public void A_flight_that_is_applied_should_be_done()
    {
        flight.Begin([Changes(0, "a", "b"), Changes(2, "a")]);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Reached.ShouldBe(At(2));
        flight.Written(FlightResult.AllApplied, now);
        flight.Next(now).ShouldBe(FlightStep.Done);
    }

    [Fact]
    public void An_unknown_outcome_should_be_asked_for_before_anything_is_sent_again()
    {
        flight.Begin([Changes(0, "a")]);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Failed(outcomeUnknown: true);
        flight.Next(now).ShouldBe(FlightStep.AskApplied);
        flight.Failed(outcomeUnknown: false);
        flight.Next(now).ShouldBe(FlightStep.AskApplied, "the question was not answered");
        flight.Answered(false);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Failed(outcomeUnknown: true);
        flight.Next(now).ShouldBe(FlightStep.AskApplied);
        flight.Answered(true);
        flight.Next(now).ShouldBe(FlightStep.FindRefused);
        flight.Failed(outcomeUnknown: true);
        flight.Next(now).ShouldBe(FlightStep.FindRefused, "that Redis has it is certain");
        flight.Found([], now);
        flight.Next(now).ShouldBe(FlightStep.Done);
    }

    [Fact]
    public void Without_recorded_positions_an_unknown_outcome_should_be_repeated()
    {
        var loose = NewFlight(recordsPositions: false);
        loose.Begin([Changes(0, "a")]);
        loose.Next(now).ShouldBe(FlightStep.Send);
        loose.Failed(outcomeUnknown: true);
        loose.Next(now).ShouldBe(FlightStep.Send);
    }

    [Fact]
    public void What_was_refused_while_it_ran_should_be_parked_once()
    {
        flight.Begin([Changes(0, "a", "b")]);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Written(Answer(FlightOutcome.Applied, 0), now);
        flight.Next(now).ShouldBe(FlightStep.Park);
        Of(flight.Refused).ShouldBe("0");
        flight.Failed(outcomeUnknown: true);
        flight.Next(now).ShouldBe(FlightStep.AskParked);
        flight.Answered(true);
        flight.Next(now).ShouldBe(FlightStep.Done);
        parked.Contains("a"u8).ShouldBeTrue();
        parked.Contains("b"u8).ShouldBeFalse();
    }

    [Fact]
    public void A_change_should_not_wait_behind_a_later_one_of_its_key()
    {
        // Seen by the simulation: a change Redis takes was parked because one behind it can't be expressed, when another key's was refused.
        flight.Begin([Changes(0, "a", "b", "a!")]);
        flight.Next(now).ShouldBe(FlightStep.Send);
        Of(flight.Held).ShouldBe("2");
        flight.Written(Answer(FlightOutcome.Rejected, 1), now);
        flight.Next(now).ShouldBe(FlightStep.Send);
        Sent.ShouldBe("0");
        Of(flight.Held).ShouldBe("1 2");
    }

    [Fact]
    public void Dead_letters_of_a_key_should_be_parked_in_the_order_of_their_changes()
    {
        flight.Begin([Changes(0, "a", "a", "a!")]);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Written(Answer(FlightOutcome.Rejected, 0), now);
        flight.Next(now).ShouldBe(FlightStep.Send);
        Sent.ShouldBe("");
        Of(flight.Held).ShouldBe("0 1 2");
    }

    [Fact]
    public void Another_attempt_should_begin_where_the_first_one_did()
    {
        flight.Begin([Changes(0, "a", "b", "a")]);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Written(Answer(FlightOutcome.Rejected, 0), now);
        flight.Next(now).ShouldBe(FlightStep.Send);
        Sent.ShouldBe("1");
        flight.Failed(outcomeUnknown: false);
        flight.Next(now).ShouldBe(FlightStep.Send);
        Sent.ShouldBe("0 1 2");
        flight.Held.ShouldBeEmpty();
    }

    [Fact]
    public void A_flight_of_a_node_that_was_replaced_should_be_left()
    {
        flight.Begin([Changes(0, "a")]);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Written(Answer(FlightOutcome.Fenced), now);
        flight.Next(now).ShouldBe(FlightStep.Leave);
    }

    [Fact]
    public void What_was_refused_while_a_flight_ran_should_be_retried_before_what_had_been_held_behind_it()
    {
        // Seen by the simulation: the change that can't be expressed is parked with the flight, the one before it only when Redis has refused it.
        ReplayOrder.Of<int>([4, 6, 2, 8], At).ShouldBe([2, 4, 6, 8]);
        ReplayOrder.Of<int>([8, 6, -1, 4, -1, 2, 1], step => step < 0 ? Position.None : At(step)).ShouldBe([6, 8, -1, 4, -1, 1, 2]);
    }
}

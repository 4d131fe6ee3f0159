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

    /// <summary>A batch of changes whose commands have these sizes in kilobytes, of keys of their own.</summary>
    static Batch Large(int from, params int[] kilobytes)
    {
        var batch = new Batch();
        foreach (int size in kilobytes)
        {
            byte[] head = Encoding.ASCII.GetBytes($"*2\r\n$3\r\nGET\r\n${size * 1024}\r\n");
            batch.Add(from, At(from), [.. head, .. new byte[size * 1024], .. "\r\n"u8], 1, Encoding.ASCII.GetBytes($"k{from}"), 0, ChangeKind.Insert, 0, $"id = {from}");
            from++;
        }
        return batch;
    }

    static RedisLimits OneMegabyte { get; } = RedisLimits.Of(512 << 20, 1 << 20, countsQueued: true, isOneValue: false);

    /// <summary>Sends all parts; returns what each had and reached.</summary>
    List<string> SendAll()
    {
        var sent = new List<string>();
        while (flight.Next(now) == FlightStep.Send)
        {
            sent.Add($"{Sent} -> {flight.Reached.Step}{(flight.Held.Count > 0 ? $" parks {Of(flight.Held)}" : "")}");
            flight.Written(FlightResult.AllApplied, now);
        }
        flight.Next(now).ShouldBe(FlightStep.Done);
        return sent;
    }

    [Fact]
    public void A_flight_that_is_too_large_for_one_transaction_should_go_in_parts_with_positions_of_their_own()
    {
        flight.Limits = OneMegabyte;
        flight.Begin([Large(0, 300, 300), Large(2, 600, 5), Large(4, 10)]);
        SendAll().ShouldBe(["0 1 -> 1", "2 3 4 -> 4"]);
        flight.ParkedCount.ShouldBe(0);
    }

    [Fact]
    public void A_change_that_no_transaction_can_take_should_be_parked_by_reference_and_the_others_be_sent()
    {
        flight.Limits = OneMegabyte;
        flight.Begin([Large(0, 300, 1500, 5), Large(3, 900)]);
        SendAll().ShouldBe(["0 -> 0", " -> 1 parks 1", "2 3 -> 3"]);
        var letter = flight.AllParked.ShouldHaveSingleItem();
        letter.Reference!.Row.ShouldBe("id = 1");
        letter.Reference.Setting.ShouldBe("client-query-buffer-limit");
        parked.Contains("k1"u8).ShouldBeTrue();
    }

    [Fact]
    public void A_part_with_an_unknown_outcome_should_be_looked_up_by_its_own_position()
    {
        flight.Limits = OneMegabyte;
        flight.Begin([Large(0, 900, 900)]);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Written(FlightResult.AllApplied, now);
        flight.Next(now).ShouldBe(FlightStep.Send);
        flight.Failed(outcomeUnknown: true);
        flight.Next(now).ShouldBe(FlightStep.AskApplied);
        flight.Recorded(At(0));
        flight.Next(now).ShouldBe(FlightStep.Send);
        Sent.ShouldBe("1");
    }

    [Fact]
    public void What_another_writer_has_applied_of_a_flight_should_not_be_sent_again()
    {
        flight.Begin([Changes(0, "a", "b"), Changes(2, "c", "d")]);
        flight.Failed(outcomeUnknown: true);
        flight.Next(now).ShouldBe(FlightStep.AskApplied);
        flight.Recorded(At(2));
        flight.Next(now).ShouldBe(FlightStep.FindRefused);
        flight.Found([], now);
        SendAll().ShouldBe(["3 -> 3"]);
    }

    [Fact]
    public void A_change_over_which_Redis_closes_the_connection_again_and_again_should_be_found()
    {
        flight.Begin([Large(0, 10, 2000, 10)]);
        long found = 0;
        var tries = new List<string>();
        for (int i = 0; i < 20 && found == 0; i++)
        {
            if (flight.Next(now) == FlightStep.AskApplied) flight.Answered(false);
            if (flight.Next(now) != FlightStep.Send) break;
            tries.Add(Sent);
            if (Sent.Split(' ').Contains("1")) found = flight.Failed(outcomeUnknown: true, isClosed: true);
            else flight.Written(FlightResult.AllApplied, now);
        }
        found.ShouldBeGreaterThan(2_000_000);
        tries.ShouldBe(["0 1 2", "0 1 2", "0", "1 2", "1 2", "1"]);
    }

    [Fact]
    public void A_lost_connection_should_not_be_taken_for_a_change_that_is_too_large()
    {
        flight.Begin([Large(0, 2000)]);
        for (int i = 0; i < 10; i++)
        {
            if (flight.Next(now) == FlightStep.AskApplied) flight.Answered(false);
            flight.Next(now).ShouldBe(FlightStep.Send);
            flight.Failed(outcomeUnknown: true, isClosed: true).ShouldBe(0);
            // Redis is away for a moment, as it is after a crash.
            flight.Failed(outcomeUnknown: false).ShouldBe(0);
        }
    }
}

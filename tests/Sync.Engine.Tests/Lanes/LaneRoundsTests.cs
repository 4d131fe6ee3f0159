using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Lanes;
using static Sync.Engine.Tests.Lanes.LaneRowsFor;

namespace Sync.Engine.Tests.Lanes;

public class LaneRoundsTests
{
    readonly LaneRounds rounds = new(new LaneFlightLimits(Rows: 5, Bytes: 1000));
    readonly Dictionary<string, KeyOrder> keys = [];

    void Add(params (long Commit, string Key)[] rows)
    {
        long row = rounds.Add(BatchOf(rows));
        foreach (var (_, key) in rows) KeyOf(key).Add(row++);
    }

    void AddCompared(params (long Commit, string Key)[] rows)
    {
        var batch = new Batch();
        foreach (var (commit, key) in rows) batch.Add(commit, At(commit), [], 0, Encoding.UTF8.GetBytes(key), 0, ChangeKind.Compare, 0);
        long row = rounds.Add(batch);
        foreach (var (_, key) in rows) KeyOf(key).Add(row++);
    }

    KeyOrder KeyOf(string key) => keys.TryGetValue(key, out var order) ? order : keys[key] = new KeyOrder();

    void Offer(params string[] who)
    {
        foreach (string key in who)
            if (KeyOf(key).Offer() is { } offer) rounds.Offered(offer);
    }

    string? Begin() => rounds.Begin() is { } flight ? Text(flight) : null;

    static string Text(LaneFlight flight) =>
        $"{string.Join(' ', flight.Batches.SelectMany(b => b.Entries.ToArray()).Select(e => e.Position.Commit.Value))} to {flight.Through}/{flight.Reached.Commit.Value}";

    void Home()
    {
        long through = rounds.Home().Through;
        foreach (var key in keys.Values) key.Home(through);
    }

    [Fact]
    public void A_flight_should_hold_what_is_offered_and_be_the_only_one()
    {
        Begin().ShouldBeNull();
        Add((11, "a"), (12, "b"), (13, "a"));
        Begin().ShouldBeNull("nobody has offered");
        Offer("a", "b");
        Begin().ShouldBe("11 12 13 to 3/13");
        Add((14, "c"));
        Offer("c");
        Begin().ShouldBeNull("one is under way");
        Home();
        Begin().ShouldBe("14 to 4/14");
    }

    [Fact]
    public void A_flight_should_never_leave_a_gap()
    {
        Add((11, "a"), (12, "b"));
        Add((13, "c"));
        Offer("a", "c");
        Begin().ShouldBeNull("b has not offered");
        Offer("b");
        Begin().ShouldBe("11 12 13 to 3/13");
    }

    [Fact]
    public void What_waits_for_a_key_should_travel_together_next()
    {
        Add((11, "a"));
        Offer("a");
        Begin();
        Add((12, "a"), (13, "b"));
        Add((14, "a"));
        Offer("a", "b");
        rounds.Rows.ShouldBe(4);
        Home();
        Begin().ShouldBeNull("a has more and may offer only now");
        Offer("a");
        Begin().ShouldBe("12 13 14 to 4/14");
    }

    [Fact]
    public void A_full_flight_should_leave_the_rest_of_a_change_set_offered()
    {
        Add((11, "a"), (12, "b"), (13, "c"));
        Add((14, "a"), (15, "d"), (16, "e"));
        Offer("a", "b", "c", "d", "e");
        Begin().ShouldBe("11 12 13 to 3/13");
        Add((17, "a"));
        Home();
        KeyOf("a").Offer().ShouldBeNull("a part of what it offered is under way");
        KeyOf("a").Rows.ShouldBe(2);
        Begin().ShouldBe("14 15 16 to 6/16");
        Home();
        Offer("a");
        Begin().ShouldBe("17 to 7/17");
        Home();
        rounds.IsIdle.ShouldBeTrue();
        (rounds.Rows, rounds.Bytes).ShouldBe((0, 0));
        keys.Values.ShouldAllBe(key => key.IsIdle);
    }

    [Fact]
    public void A_batch_larger_than_a_flight_should_fly_alone()
    {
        Add([.. Enumerable.Range(11, 8).Select(i => ((long)i, "a"))]);
        Add((20, "b"));
        Offer("a", "b");
        Begin().ShouldBe("11 12 13 14 15 16 17 18 to 8/18");
    }

    [Fact]
    public void A_refused_flight_should_go_again_as_it_was()
    {
        Add((11, "a"));
        Offer("a");
        Begin();
        Add((12, "b"));
        Offer("b");
        Text(rounds.Again()).ShouldBe("11 to 1/11");
        rounds.UnderWay.ShouldBe(rounds.Again());
        Home();
        Should.Throw<InvalidOperationException>(() => rounds.Again());
    }

    [Fact]
    public void Rows_of_a_copy_should_record_no_position()
    {
        Add((0, "a"), (0, "b"));
        Offer("a", "b");
        rounds.Begin()!.Reached.ShouldBe(Position.None);
    }

    [Fact]
    public void What_is_compared_should_fly_behind_all_before_it_and_in_front_of_all_behind_it()
    {
        Add((11, "a"), (12, "b"));
        AddCompared((13, "a"), (14, "c"));
        AddCompared((15, "d"));
        Add((16, "a"));
        Offer("a", "b", "c", "d");
        Begin().ShouldBe("11 12 to 2/12");
        Home();
        Begin().ShouldBe("13 14 15 to 5/15");
        Home();
        Offer("a");
        Begin().ShouldBe("16 to 6/16");
    }
}

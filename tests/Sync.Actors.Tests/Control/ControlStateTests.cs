using FsCheck;
using FsCheck.Fluent;
using Sync.Actors.Control;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Tests.Control;

public sealed class ControlStateTests
{
    static readonly HashSet<string> verbs = ["leave", "resync"], none = [];

    static OperatorCommand Command(string id, string verb = "resync", string argument = "orders") => new(id, verb, argument, "alice");

    static DeadLetterDecision Decision(string id, string key, DeadLetterAction action = DeadLetterAction.Retry) =>
        new(id, 5, System.Text.Encoding.UTF8.GetBytes(key), action, false, [], "alice", 0);

    static ControlState Accept(ControlState state, ControlVerdict verdict) => state.Apply(verdict.ShouldBeOfType<ControlVerdict.Accept>().Event);

    static ControlState Accept(ControlState state, OperatorCommand command) => Accept(state, state.ProcessCommand(command, verbs, 100));
    static ControlState Accept(ControlState state, DeadLetterDecision decision) => Accept(state, state.ProcessCommand(decision, 100));
    static ControlState End(ControlState state, string id, bool succeeded = true) => state.Apply(new OperatorCommandCompleted(id, succeeded, "so it went", 200));

    static string[] Startable(ControlState state, params string[] running) => [.. state.Startable(running.ToHashSet()).Select(o => o.Outcome.Id)];

    [Fact]
    public void A_command_should_be_under_way_until_it_ends()
    {
        var state = Accept(ControlState.Empty, Command("1"));
        state.Find("1").ShouldBe(new OperatorOutcome("1", "resync", "orders", "alice", 100, OperatorStage.UnderWay, "", 0));
        Startable(state).ShouldBe(["1"]);
        state = End(state, "1", succeeded: false);
        state.Find("1").ShouldBe(new OperatorOutcome("1", "resync", "orders", "alice", 100, OperatorStage.Failed, "so it went", 200));
        Startable(state).ShouldBeEmpty();
    }

    [Fact]
    public void A_known_name_should_not_be_accepted_again()
    {
        var state = End(Accept(ControlState.Empty, Command("1")), "1");
        state.ProcessCommand(Command("1", argument: "customers"), verbs, 300).ShouldBe(new ControlVerdict.Known(state.Find("1")!));
        state.ProcessCommand(Decision("1", "k"), 300).ShouldBe(new ControlVerdict.Known(state.Find("1")!));
    }

    [Theory]
    [InlineData("1", "dance", "There is no command dance; there are leave, resync.")]
    [InlineData("", "resync", "A command needs a name of 1 to 200 characters.")]
    public void What_makes_no_sense_should_be_refused(string id, string verb, string why)
    {
        var refused = ControlState.Empty.ProcessCommand(Command(id, verb), verbs, 100).ShouldBeOfType<ControlVerdict.Refuse>();
        (refused.Outcome.Stage, refused.Outcome.Message).ShouldBe((OperatorStage.Refused, why));
    }

    [Fact]
    public void Decisions_about_one_key_should_come_one_after_the_other()
    {
        var state = Accept(Accept(Accept(ControlState.Empty, Decision("1", "orders:7")), Decision("2", "orders:7", DeadLetterAction.Drop)), Decision("3", "orders:8"));
        Startable(state).ShouldBe(["1", "3"]);
        Startable(state, "1", "3").ShouldBeEmpty();
        Startable(End(state, "1"), "3").ShouldBe(["2"]);
    }

    [Fact]
    public void A_decision_about_all_keys_should_neither_overtake_those_of_single_keys_nor_be_overtaken()
    {
        var state = Accept(Accept(Accept(ControlState.Empty, Decision("1", "orders:7")), Decision("all", "")), Decision("3", "orders:8"));
        Startable(state).ShouldBe(["1"]);
        state = End(state, "1");
        Startable(state).ShouldBe(["all"]);
        Startable(state, "all").ShouldBeEmpty();
        Startable(End(state, "all")).ShouldBe(["3"]);
    }

    [Fact]
    public void What_became_of_letters_should_be_kept()
    {
        var state = Accept(ControlState.Empty, Decision("1", "orders:7")).Apply(new OperatorCommandCompleted("1", true, "", 200, new DeadLetterCount(3, 1, 2)));
        ControlState.From(state.ToSnapshot()).Find("1").ShouldNotBeNull().Letters.ShouldBe(new DeadLetterCount(3, 1, 2));
    }

    [Fact]
    public void A_decision_should_come_to_its_order_as_it_was_made()
    {
        var order = Accept(ControlState.Empty, Decision("1", "orders:7")).Startable(none).ShouldHaveSingleItem();
        order.Decision.ShouldNotBeNull().AtTicks.ShouldBe(100);
        (order.Outcome.Command, order.Outcome.Argument).ShouldBe((ControlState.RetryVerb, "orders:7"));
    }

    [Fact]
    public void More_than_can_be_kept_should_be_refused_or_forgotten()
    {
        var state = ControlState.Empty;
        for (int i = 0; i < ControlState.MostUnderWay; i++) state = Accept(state, Command($"{i}", argument: $"{i}"));
        state.ProcessCommand(Command("one more"), verbs, 100).ShouldBeOfType<ControlVerdict.Refuse>();
        for (int i = 0; i < ControlState.MostUnderWay; i++) state = End(state, $"{i}");
        for (int i = 0; i < 10; i++) state = End(Accept(state, Command($"later{i}")), $"later{i}");
        state.All.Count.ShouldBe(ControlState.MostEnded);
        state.Find("9").ShouldBeNull();
        state.Find("10").ShouldNotBeNull();
    }

    /// <summary>A journal may be replayed from a snapshot taken anywhere, and an event may stand in it twice when its writer was not told of the first.</summary>
    [Fact]
    public void A_snapshot_anywhere_should_make_no_difference() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(100), Prop.ForAll(
        Gen.Choose(0, 29).ListOf().ToArbitrary(), moves =>
        {
            ControlState straight = ControlState.Empty, resumed = ControlState.Empty;
            foreach (int move in moves)
            {
                string id = $"{move % 10}";
                IControlEvent happened = (move / 10) switch
                {
                    0 => new OperatorCommandAccepted(id, "resync", $"{move % 3}", "alice", 100),
                    1 => Decision(id, $"{move % 3}"),
                    _ => new OperatorCommandCompleted(id, move % 2 == 0, "", 200),
                };
                straight = straight.Apply(happened);
                resumed = ControlState.From(resumed.Apply(happened).ToSnapshot());
            }
            resumed.All.ShouldBe(straight.All);
            Startable(resumed).ShouldBe(Startable(straight));
        }));
}

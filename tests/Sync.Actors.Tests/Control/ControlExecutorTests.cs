using Sync.Actors.Control;
using Sync.Actors.DeadLetters;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Tests.Control;

public sealed class ControlExecutorTests
{
    static DeadLetterAnswer Answer(int lane, DeadLetterOutcome outcome, string error = "") => new(lane, "r", outcome, 2, 1, error);

    [Fact]
    public void Letters_that_went_should_be_a_success() => ControlExecutor
        .ResultOf(DeadLetterAction.Retry, new DeadLettersHandled("r", 2, 0, [Answer(1, DeadLetterOutcome.Done)], []))
        .ShouldBe(new ControlResult(true, "2 applied, 0 left.", new DeadLetterCount(2, 0, 0)));

    [Fact]
    public void A_letter_that_was_refused_again_should_say_why() => ControlExecutor
        .ResultOf(DeadLetterAction.Retry, new DeadLettersHandled("r", 2, 1, [Answer(1, DeadLetterOutcome.Refused, "WRONGTYPE"), Answer(2, DeadLetterOutcome.Done)], []))
        .ShouldBe(new ControlResult(false, "2 applied, 1 left: WRONGTYPE.", new DeadLetterCount(2, 1, 0)));

    [Fact]
    public void Lanes_without_an_answer_should_be_named() => ControlExecutor
        .ResultOf(DeadLetterAction.Drop, new DeadLettersHandled("r", 2, 0, [], [3, 7]))
        .ShouldBe(new ControlResult(false, "2 dropped, 0 left; no answer of lanes 3, 7, which may be moving: ask again.", new DeadLetterCount(2, 0, 2)));
}

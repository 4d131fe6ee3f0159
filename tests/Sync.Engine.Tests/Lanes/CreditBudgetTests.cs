using Sync.Engine.Lanes;

namespace Sync.Engine.Tests.Lanes;

public class CreditBudgetTests
{
    readonly CreditBudget budget = new(100);

    [Fact]
    public void What_is_under_way_should_stay_within_the_bound()
    {
        budget.TryTake(60).ShouldBeTrue();
        budget.TryTake(41).ShouldBeFalse();
        budget.TryTake(40).ShouldBeTrue();
        budget.Release(60);
        budget.UnderWay.ShouldBe(40);
        budget.TryTake(60).ShouldBeTrue();
    }

    [Fact]
    public void A_batch_larger_than_the_bound_should_pass_alone()
    {
        budget.TryTake(1).ShouldBeTrue();
        budget.TryTake(500).ShouldBeFalse();
        budget.Release(1);
        budget.TryTake(500).ShouldBeTrue();
        budget.TryTake(1).ShouldBeFalse();
    }

    [Fact]
    public void More_than_is_under_way_should_not_be_given_back() =>
        Should.Throw<ArgumentOutOfRangeException>(() => budget.Release(1));
}

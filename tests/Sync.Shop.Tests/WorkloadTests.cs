using Sync.Node.Demo;

namespace Sync.Shop.Tests;

public class WorkloadTests(ShopServers shop) : IClassFixture<ShopServers>
{
    [Fact]
    public async Task Changes_should_be_of_every_kind_and_be_seen_where_they_say()
    {
        var workload = new ShopWorkload(shop.Postgres, seed: 5);
        var kinds = new HashSet<string>();
        for (int i = 0; i < 160; i++)
        {
            var change = await workload.NextAsync(CancellationToken.None);
            kinds.Add(change.Kind);
            await change.CommitAsync(shop.Postgres, CancellationToken.None);
            await shop.ProjectAsync();
            (await change.AskAsync(shop.Redis, CancellationToken.None)).ShouldBe(change.Expected, change.Title);
        }
        kinds.ShouldBe(["price", "text", "NULL", "key move", "stock", "new order", "status", "cart", "delete"], ignoreOrder: true);
        (await shop.CompareAsync()).ShouldBeEmpty();
    }

    [Fact]
    public void Percentile_should_be_a_value_that_was_measured()
    {
        LagMeter.Percentile([], 0.5).ShouldBe(0);
        LagMeter.Percentile([3, 1, 2], 0.5).ShouldBe(2);
        LagMeter.Percentile([.. Enumerable.Range(1, 100).Select(ms => (double)ms)], 0.99).ShouldBe(99);
        LagMeter.Percentile([7], 0.99).ShouldBe(7);
    }
}

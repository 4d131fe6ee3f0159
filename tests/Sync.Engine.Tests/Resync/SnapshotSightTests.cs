using Sync.Engine.Resync;

namespace Sync.Engine.Tests.Resync;

public class SnapshotSightTests
{
    [Theory]
    [InlineData("100:100:", 99u, true)]
    [InlineData("100:100:", 100u, false)]
    [InlineData("100:105:101,103", 100u, true)]
    [InlineData("100:105:101,103", 101u, false)]
    [InlineData("100:105:101,103", 102u, true)]
    [InlineData("100:105:101,103", 104u, true)]
    [InlineData("100:105:101,103", 105u, false)]
    [InlineData("4294967290:4294967300:4294967297", 4294967295u, true)]
    [InlineData("4294967290:4294967300:4294967297", 1u, false)]
    [InlineData("4294967290:4294967300:4294967297", 2u, true)]
    [InlineData("4294967290:4294967300:4294967297", 4u, false)]
    [InlineData("8589934600:8589934601:", 4294967000u, true)]
    public void Transactions_should_be_seen_or_not(string snapshot, uint transaction, bool seen) => SnapshotSight.Parse(snapshot).Sees(transaction).ShouldBe(seen);

    [Theory]
    [InlineData("")]
    [InlineData("1:2")]
    [InlineData("2:1:")]
    [InlineData("1:2:x")]
    [InlineData("-1:2:")]
    public void Other_texts_should_be_refused(string text) => Should.Throw<FormatException>(() => SnapshotSight.Parse(text));

    [Fact]
    public void The_ring_should_keep_the_last_transactions()
    {
        var recent = new RecentTransactions(4);
        recent.ToArray().ShouldBeEmpty();
        recent.Add(1);
        recent.Add(2);
        recent.ToArray().ShouldBe([1u, 2u]);
        for (uint i = 3; i <= 9; i++) recent.Add(i);
        recent.ToArray().ShouldBe([6u, 7u, 8u, 9u], ignoreOrder: true);
    }
}

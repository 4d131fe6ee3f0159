using Sync.Actors.Lanes;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Tests.Lanes;

public sealed class LaneExtractorTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(64)]
    [InlineData(256)]
    [InlineData(4096)]
    public void Every_lane_should_be_in_one_shard(int lanes)
    {
        var extractor = new LaneExtractor(lanes);
        var shards = Enumerable.Range(0, lanes).GroupBy(lane => extractor.ShardId(new LaneStatusRequest(lane, ""))!).ToDictionary(g => g.Key, g => g.ToArray());
        shards.Count.ShouldBe(Math.Min(lanes, LaneExtractor.Shards));
        foreach (var (shard, its) in shards)
        {
            LaneExtractor.LanesOf(shard, lanes).ShouldBe(its);
            its.Select(lane => extractor.ShardId($"{lane}")).ShouldAllBe(found => found == shard);
        }
    }

    [Fact]
    public void What_is_no_lane_should_have_no_shard()
    {
        var extractor = new LaneExtractor(20);
        extractor.ShardId(new LaneStatusRequest(20, "")).ShouldBeNull();
        extractor.ShardId((object)"something else").ShouldBeNull();
        LaneExtractor.LanesOf("20", 20).ShouldBeEmpty();
        LaneExtractor.LanesOf("x", 20).ShouldBeEmpty();
    }
}

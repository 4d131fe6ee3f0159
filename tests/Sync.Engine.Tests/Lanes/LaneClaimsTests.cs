using Sync.Engine.Lanes;

namespace Sync.Engine.Tests.Lanes;

public class LaneClaimsTests
{
    readonly LaneClaims claims = new();

    [Fact]
    public void Only_the_takeover_that_owns_a_lane_should_write()
    {
        claims.Checked(readToken: 3, last: 20, new Dictionary<int, long> { [1] = 17, [2] = 12 });
        claims.MayWrite(1, 17).ShouldBeTrue();
        claims.MayWrite(1, 9).ShouldBeFalse("the lane has left this node and come back");
        claims.MayWrite(3, 15).ShouldBeFalse("another node owns it");
        claims.MayWrite(3, 21).ShouldBeTrue("taken since; had it been taken away again, the token would be another one");
    }

    [Fact]
    public void Another_token_should_ask_for_another_look()
    {
        claims.IsCurrent(0).ShouldBeFalse("nothing was read yet");
        claims.Checked(3, 0, []);
        claims.IsCurrent(3).ShouldBeTrue();
        claims.IsCurrent(4).ShouldBeFalse();
    }

    [Fact]
    public void What_was_read_earlier_should_not_count_any_more()
    {
        claims.Checked(3, 20, new Dictionary<int, long> { [1] = 17 });
        claims.Checked(4, 25, new Dictionary<int, long> { [2] = 23 });
        claims.MayWrite(1, 17).ShouldBeFalse();
        claims.MayWrite(2, 23).ShouldBeTrue();
    }
}

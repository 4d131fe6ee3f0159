using Sync.Node.Cluster;

namespace Sync.Node.Tests.Cluster;

public sealed class ReaderWatchTests
{
    readonly ReaderWatch watch = new(TimeSpan.FromSeconds(30));
    DateTimeOffset now = DateTimeOffset.UnixEpoch;

    bool Look(long begun, long heard, double after = 5)
    {
        now += TimeSpan.FromSeconds(after);
        return watch.IsLeftBehind(begun, heard, now);
    }

    [Fact]
    public void A_node_that_hears_of_every_reader_should_stay()
    {
        for (int epoch = 1; epoch < 100; epoch++) Look(epoch, epoch).ShouldBeFalse();
    }

    [Fact]
    public void A_reader_from_before_the_first_look_should_not_count()
    {
        for (int i = 0; i < 100; i++) Look(begun: 7, heard: 0).ShouldBeFalse();
    }

    [Fact]
    public void A_node_should_be_left_behind_when_it_never_hears_of_later_readers()
    {
        Look(begun: 7, heard: 7).ShouldBeFalse();
        // They come and go: what counts is since when none was heard.
        for (int i = 0; i < 7; i++) Look(begun: 8 + i, heard: 7).ShouldBeFalse();
        Look(begun: 15, heard: 7).ShouldBeTrue();
    }

    [Fact]
    public void A_reader_that_is_heard_late_should_be_waited_for_anew()
    {
        Look(begun: 7, heard: 7).ShouldBeFalse();
        Look(begun: 8, heard: 7, after: 25).ShouldBeFalse();
        Look(begun: 8, heard: 8, after: 25).ShouldBeFalse();
        Look(begun: 9, heard: 8, after: 25).ShouldBeFalse();
        Look(begun: 9, heard: 8, after: 31).ShouldBeTrue();
    }
}

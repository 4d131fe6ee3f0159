using Sync.Actors.Hosting;
using Sync.Contracts;

namespace Sync.Actors.Tests.Hosting;

public sealed class ClusterEndTests
{
    [Fact]
    public void Who_was_asked_to_stop_should_end_with_success()
    {
        ClusterEnd.CodeOf(CoordinatedShutdown.ClrExitReason.Instance).ShouldBe(ExitCode.Ok);
        ClusterEnd.CodeOf(CoordinatedShutdown.ClusterLeavingReason.Instance).ShouldBe(ExitCode.Ok);
    }

    [Fact]
    public void Who_was_downed_should_be_started_again()
    {
        ClusterEnd.CodeOf(CoordinatedShutdown.ClusterDowningReason.Instance).ShouldBe(ExitCode.ClusterDowned);
        ClusterEnd.CodeOf(CoordinatedShutdown.ClusterJoinUnsuccessfulReason.Instance).ShouldBe(ExitCode.ClusterDowned);
    }

    [Fact]
    public void An_end_that_nobody_asked_for_should_be_no_success()
    {
        ClusterEnd.CodeOf(CoordinatedShutdown.ActorSystemTerminateReason.Instance).ShouldBe(ExitCode.Internal);
        ClusterEnd.CodeOf(null).ShouldBe(ExitCode.Internal);
    }
}

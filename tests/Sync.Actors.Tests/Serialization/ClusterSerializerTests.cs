using Sync.Actors.Serialization;
using Sync.Actors.Tests.Support;
using Sync.Contracts.Cluster;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Serialization;

public sealed class ClusterSerializerTests(ITestOutputHelper output) : ActorTest(output, ActorSyncActors.ReadConfiguration().ToString())
{
    [Fact]
    public void Messages_of_the_cluster_should_be_bound_to_their_serializer()
    {
        var message = new LaneResume(3, 1, 2, 4, 100);
        var serializer = Sys.Serialization.FindSerializerFor(message).ShouldBeOfType<ClusterSerializer>();
        byte[] bytes = serializer.ToBinary(message);
        Sys.Serialization.Deserialize(bytes, 7719, serializer.Manifest(message)).ShouldBe(message);
        Sys.Serialization.FindSerializerForType(typeof(LaneBatch)).ShouldBe(serializer);
    }
}

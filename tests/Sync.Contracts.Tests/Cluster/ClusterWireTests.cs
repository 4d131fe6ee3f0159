using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Cluster;
using Sync.Contracts.Cluster.Wire;
using Sync.Contracts.Rows;

namespace Sync.Contracts.Tests.Cluster;

public class ClusterWireTests
{
    public static IEnumerable<object[]> MessageTypes => MessageSamples.Types.Select(type => new object[] { type });

    [Theory]
    [MemberData(nameof(MessageTypes))]
    public void Every_message_should_come_back_as_it_was(Type type) =>
        Prop.ForAll(MessageSamples.Of(type).ToArbitrary(), message =>
        {
            var (manifest, bytes) = ClusterWire.ToBytes(message);
            ClusterWire.ManifestOf(message).ShouldBe(manifest);
            MessageText.LinesOf(ClusterWire.FromBytes(manifest, bytes)).ShouldBe(MessageText.LinesOf(message));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_message_should_have_a_short_manifest_of_its_own()
    {
        ClusterWire.Manifests.Count.ShouldBe(MessageSamples.Types.Count());
        ClusterWire.Manifests.ShouldAllBe(manifest => manifest.Length == 2);
    }

    [Fact]
    public void An_unknown_manifest_should_be_refused_with_a_sentence() =>
        Should.Throw<ClusterWireException>(() => ClusterWire.FromBytes("zz", ReadOnlyMemory<byte>.Empty)).Message.ShouldContain("'zz'");

    [Fact]
    public void What_is_no_message_should_be_refused_with_a_sentence() =>
        Should.Throw<ClusterWireException>(() => ClusterWire.ToBytes("text")).Message.ShouldContain("String is no cluster message");

    [Fact]
    public void Any_bytes_should_be_read_or_refused_with_a_sentence() =>
        Prop.ForAll(
            Gen.Elements<string>([.. ClusterWire.Manifests]).ToArbitrary(), ArbMap.Default.ArbFor<byte[]>(), (manifest, bytes) =>
            {
                try
                {
                    ClusterWire.FromBytes(manifest, bytes).ShouldNotBeNull();
                }
                catch (ClusterWireException e)
                {
                    e.Message.ShouldNotBeEmpty();
                }
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void Cut_or_spoilt_batches_should_be_refused_and_nothing_else_happen() =>
        Prop.ForAll(MessageSamples.Of(typeof(LaneBatch)).ToArbitrary(), Gen.Choose(0, int.MaxValue).ToArbitrary(), (message, choice) =>
        {
            byte[] bytes = ClusterWire.ToBytes(message).Bytes;
            if (bytes.Length == 0) return;
            byte[] spoilt = choice % 2 == 0 ? bytes[..(choice % bytes.Length)] : [.. bytes];
            if (choice % 2 == 1) spoilt[choice % spoilt.Length] ^= (byte)(1 + (choice % 255));
            try
            {
                ClusterWire.FromBytes("lb", spoilt);
            }
            catch (ClusterWireException)
            {
                // It says why; what is read all the same is a batch of other content, which TLS has to rule out.
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_row_should_take_few_bytes_beside_its_commands_and_key()
    {
        var rows = MessageSamples.Joined(
            [.. Enumerable.Range(0, 500).Select(i => new LaneRow(new Position(new Lsn(0x16_B374_D848 + (ulong)(i / 10 * 400)), (ulong)(i % 10 * 2)), 120, 20, 1, 3, ChangeKind.Update, 639_000_000_000_000_000))]);
        byte[] bytes = ClusterWire.ToBytes(new LaneBatch(17, 3, 900, 890, rows)).Bytes;
        (bytes.Length - rows.Bytes).ShouldBeLessThan(6 * rows.Count);
    }
}

using Akka.Actor;
using Akka.Serialization;
using Sync.Contracts.Cluster.Wire;

namespace Sync.Actors.Serialization;

/// <summary>Akka's way to <see cref="ClusterWire"/>, for messages between nodes and for the journal.</summary>
public sealed class ClusterSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    /// <summary>Stands beside each message on the wire; never changes.</summary>
    public override int Identifier => 7719;

    public override string Manifest(object o) => ClusterWire.ManifestOf(o);

    public override byte[] ToBinary(object obj) => ClusterWire.ToBytes(obj).Bytes;

    public override object FromBinary(byte[] bytes, string manifest) => ClusterWire.FromBytes(manifest, bytes);
}

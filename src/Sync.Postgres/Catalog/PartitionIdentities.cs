using Sync.Contracts.Rows;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Catalog;

/// <summary>
/// What is known of the old rows of a partitioned table: what all its partitions send. With publish_via_partition_root their changes come under the
/// name of the table, so that a row does not
/// tell which partition it is of. Pure.
/// </summary>
public static class PartitionIdentities
{
    /// <summary>The columns with what every partition sends.</summary>
    public static IReadOnlyList<RelationColumn> Narrow(IReadOnlyList<RelationColumn> columns, IReadOnlyList<PartitionIdentity> partitions) =>
        partitions.Count == 0 ? columns : [.. columns.Select(c => c with { InIdentity = partitions.All(p => p.Sends(c.Name)) })];

    /// <summary>Which columns every key tuple brings: a partition that sends whole rows sends no key tuples.</summary>
    public static bool[] SentInKeys(Relation relation) =>
        [.. relation.Columns.Select(c => relation.Partitions.Where(p => p.Sent is not null).All(p => p.Sends(c.Name)))];

    /// <summary>What the stream says of a partition.</summary>
    public static PartitionIdentity Of(DecodedRelation partition) => new(partition.Oid, partition.Schema, partition.Name,
        partition.Identity == ReplicaIdentity.Full ? null : [.. partition.Columns.Where(c => RelationKey.InIdentity(partition, c)).Select(c => c.Name)]);

    /// <summary>What the catalog says, with what the stream says of the same partitions, which is true for the rows that come now.</summary>
    public static IReadOnlyList<PartitionIdentity> Merge(IReadOnlyList<PartitionIdentity> catalog, IEnumerable<PartitionIdentity> stream)
    {
        var told = stream.ToDictionary(p => p.Oid);
        return [.. catalog.Where(p => !told.ContainsKey(p.Oid)).Concat(told.Values).OrderBy(p => p.Oid)];
    }
}

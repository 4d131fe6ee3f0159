using Sync.Contracts.Rows;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Catalog;

/// <summary>A table's primary key as the catalog has it now.</summary>
/// <param name="Columns">Names in the order of the index.</param>
/// <param name="Immediate">False for a deferrable key, which PostgreSQL does not take as replica identity.</param>
/// <param name="Table">All columns of the table in their order, with their types; null when they are not known.</param>
public sealed record CatalogKey(IReadOnlyList<string> Columns, bool Immediate, IReadOnlyList<(string Name, uint TypeOid)>? Table = null);

/// <summary>
/// Finds the primary key of a relation of the stream. The stream says which columns belong to the replica identity, not
/// in which order the index has them, and knows nothing of a primary key that is not the identity; the catalog knows
/// both, but as of now, while the stream may be at a time before the last ALTER TABLE. So the catalog is believed only
/// where it doesn't contradict the stream. Pure.
/// </summary>
public static class RelationKey
{
    /// <summary>Indexes into the relation's columns; empty when no primary key is known.</summary>
    public static IReadOnlyList<int> Find(DecodedRelation relation, CatalogKey? catalog)
    {
        var flagged = Enumerable.Range(0, relation.Columns.Count).Where(i => relation.Columns[i].IsKey).ToList();
        var now = catalog?.Columns
            .Select(name => IndexOf(relation, name) is var index && index >= 0 ? index : BeforeRename(relation, catalog.Table, name)).ToList() ?? [];
        bool complete = now.Count > 0 && !now.Contains(-1);
        return relation.Identity switch
        {
            // Under the default identity the flags are the primary key of that time, unless it was deferrable.
            ReplicaIdentity.Default when flagged.Count > 0 => complete && flagged.ToHashSet().SetEquals(now) ? now : flagged,
            ReplicaIdentity.Default => complete && !catalog!.Immediate ? now : [],
            // A unique index on columns that are not null identifies rows as well as a primary key would.
            ReplicaIdentity.Index => complete ? now : flagged,
            // FULL flags every column and NOTHING none: that says nothing of a key.
            _ => complete ? now : [],
        };
    }

    /// <summary>Whether PostgreSQL sends the old value of a column with deletes and key updates.</summary>
    public static bool InIdentity(DecodedRelation relation, DecodedColumn column) => relation.Identity switch
    {
        ReplicaIdentity.Full => true,
        ReplicaIdentity.Nothing => false,
        _ => column.IsKey,
    };

    /// <summary>
    /// The column that the stream knows by an earlier name: of the same type, not in the catalog any more, and behind as many columns that both
    /// know. A new name leaves a column at its place. -1 when there is none, or more than one.
    /// </summary>
    static int BeforeRename(DecodedRelation relation, IReadOnlyList<(string Name, uint TypeOid)>? table, string name)
    {
        int at = table?.ToList().FindIndex(c => c.Name == name) ?? -1;
        if (at < 0) return -1;
        var known = table!.Select(c => c.Name).Where(n => IndexOf(relation, n) >= 0).ToHashSet();
        int before = table!.Take(at).Count(c => known.Contains(c.Name));
        int[] candidates =
        [
            .. Enumerable.Range(0, relation.Columns.Count).Where(i => !known.Contains(relation.Columns[i].Name)
                && relation.Columns[i].TypeOid == table![at].TypeOid
                && relation.Columns.Take(i).Count(c => known.Contains(c.Name)) == before),
        ];
        return candidates.Length == 1 ? candidates[0] : -1;
    }

    static int IndexOf(DecodedRelation relation, string name)
    {
        for (int i = 0; i < relation.Columns.Count; i++)
            if (relation.Columns[i].Name == name) return i;
        return -1;
    }
}

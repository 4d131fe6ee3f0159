namespace Sync.Contracts.Cluster;

/// <summary>
/// What Redis must hold because of one row: the body of a row that is compared (<see cref="Rows.ChangeKind.Compare"/>), which a lane understands without knowing
/// the table.
/// </summary>
/// <param name="IsPoison">Whether the row can't be written as commands.</param>
/// <param name="Keys">What each key must hold. Keys that another writer may have written as well are left out.</param>
public sealed record RowState(bool IsPoison, IReadOnlyList<KeyState> Keys) : IClusterMessage;

/// <summary>What one key must hold because of one row.</summary>
/// <param name="Key">The key.</param>
/// <param name="Content">What it is; a number of the engine's <c>KeyContent</c>.</param>
/// <param name="HasText">Whether the row writes a string there.</param>
/// <param name="Text">That string.</param>
/// <param name="IsVague">Whether another string may stand there as well.</param>
/// <param name="Parts">Fields, members or paths.</param>
/// <param name="IsOwn">Whether no other row writes the key.</param>
/// <param name="IsWhole">Whether a hash has these fields and no others.</param>
/// <param name="LifeMs">The longest it may live on, in milliseconds; 0 for ever or unknown.</param>
/// <param name="MayHaveEnded">Whether it may have come to the end of its life.</param>
/// <param name="IsShared">Whether other tables write parts of it, so that nothing can be said of the key as a whole.</param>
/// <param name="ForeignParts">What the names of the parts look like that other tables write; regular expressions.</param>
public sealed record KeyState(
    ReadOnlyMemory<byte> Key, int Content, bool HasText, ReadOnlyMemory<byte> Text, bool IsVague, IReadOnlyList<PartState> Parts, bool IsOwn, bool IsWhole, long LifeMs,
    bool MayHaveEnded, bool IsShared, IReadOnlyList<string> ForeignParts);

/// <param name="Name">Field, member or JSON path.</param>
/// <param name="Value">Value, score, position or JSON.</param>
/// <param name="Rule">What has to hold; a number of the engine's <c>PartRule</c>.</param>
public sealed record PartState(ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Value, int Rule);

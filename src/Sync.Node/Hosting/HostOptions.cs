namespace Sync.Node.Hosting;

/// <param name="SnapshotOnly">Copy and exit, whatever snapshot.mode says.</param>
/// <param name="OnlyTable">Copy this table (schema.table) even if it was copied before; null for those that were not.</param>
public sealed record HostOptions(bool SnapshotOnly = false, string? OnlyTable = null);

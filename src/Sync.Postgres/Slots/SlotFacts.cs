using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Slots;

/// <summary>Who reads from a slot, as far as pg_stat_activity tells the asking user.</summary>
public sealed record SlotHolder(int Pid, string? ApplicationName, string? ClientAddress, string? User)
{
    public override string ToString() =>
        $"process {Pid}"
        + (string.IsNullOrEmpty(User) ? "" : $" of user {User}")
        + (string.IsNullOrEmpty(ApplicationName) ? "" : $" ({ApplicationName})")
        + (string.IsNullOrEmpty(ClientAddress) ? "" : $" from {ClientAddress}");
}

/// <summary>A replication slot as it is now (PostgreSQL docs, pg_replication_slots).</summary>
public sealed record SlotFacts
{
    public required string Name { get; init; }

    /// <summary>Output plugin; null for a physical slot.</summary>
    public required string? Plugin { get; init; }

    /// <summary>The one database a logical slot decodes; null for a physical slot.</summary>
    public required string? Database { get; init; }
    public bool IsTemporary { get; init; }

    /// <summary>Whether somebody reads from it; <see cref="Holder"/> then says who.</summary>
    public bool IsActive { get; init; }
    public SlotHolder? Holder { get; init; }

    /// <summary>WAL from here on is kept; <see cref="Lsn.None"/> when the WAL is lost.</summary>
    public Lsn RestartLsn { get; init; }

    /// <summary>Transactions that committed before this are not sent again.</summary>
    public Lsn ConfirmedFlushLsn { get; init; }

    /// <summary>reserved, extended, unreserved or lost.</summary>
    public string? WalStatus { get; init; }

    /// <summary>Why the server gave the slot up: invalidation_reason of PostgreSQL 17, "conflict" for conflicting of 16; null while it is good.</summary>
    public string? Invalidation { get; init; }

    /// <summary>Whether standbys keep a copy (PostgreSQL 17); null where the server knows no such thing.</summary>
    public bool? IsFailover { get; init; }

    /// <summary>Bytes of WAL between <see cref="RestartLsn"/> and the server's current position.</summary>
    public long RetainedBytes { get; init; }
}

/// <summary>Judges a slot. Pure.</summary>
public static class SlotChecks
{
    public const string Plugin = "pgoutput";

    /// <summary>Why <paramref name="slot"/> can't serve <paramref name="database"/>; null when it can.</summary>
    public static SyncException? Find(SlotFacts slot, string database) => slot switch
    {
        { Plugin: null } => Problem($"Slot {slot.Name} is a physical one, but {Plugin} is needed: choose another name in postgres.repl.slot, or drop"
            + $" it with {DropStatement(slot.Name)}."),
        { Plugin: not Plugin } => Problem($"Slot {slot.Name} decodes with plugin {slot.Plugin}, but {Plugin} is needed: choose another name in"
            + $" postgres.repl.slot, or drop it with {DropStatement(slot.Name)}."),
        _ when slot.Database != database => Problem($"Slot {slot.Name} belongs to database {slot.Database}, not to {database}: choose another name in"
            + " postgres.repl.slot."),
        { IsTemporary: true } => Problem($"Slot {slot.Name} is a temporary one of {slot.Holder}: choose another name in postgres.repl.slot."),
        _ when slot.WalStatus == "lost" || slot.Invalidation is not null => Lost(slot),
        _ => null,
    };

    static SyncException Lost(SlotFacts slot)
    {
        // Before PostgreSQL 17 the server gives no reason when the WAL is gone.
        var (reason, prevention) = slot.Invalidation switch
        {
            null or "wal_removed" => ("its WAL was removed", "; a larger max_slot_wal_keep_size prevents it"),
            "idle_timeout" => ("nobody read from it for longer than idle_replication_slot_timeout", "; a longer idle_replication_slot_timeout prevents it"),
            "wal_level_insufficient" => ("the server ran with a wal_level below logical", "; keep wal_level = logical"),
            { } other => (other, ""),
        };
        return Problem($"Slot {slot.Name} is lost ({reason}): changes after {slot.ConfirmedFlushLsn} can't be read any more."
            + $" Drop it with {DropStatement(slot.Name)} and start anew with a full snapshot{prevention}.");
    }

    static SyncException Problem(string message) => new(ExitCode.Slot, message);

    static string DropStatement(string slot) => $"SELECT pg_drop_replication_slot({Sql.Literal(slot)})";
}

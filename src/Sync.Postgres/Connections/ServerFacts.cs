using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Progress;

namespace Sync.Postgres.Connections;

/// <summary>What of a server decides whether and how we can follow it.</summary>
/// <param name="VersionNumber">server_version_num, such as 150004.</param>
/// <param name="Version">server_version, for people.</param>
/// <param name="SystemIdentifier">Unique per cluster from initdb on; standbys share it (PostgreSQL docs, pg_control_system).</param>
/// <param name="Timeline">The timeline WAL is written on now; a promotion starts a new one.</param>
/// <param name="WalLevel">minimal, replica or logical.</param>
/// <param name="MaxReplicationSlots">max_replication_slots.</param>
/// <param name="UsedReplicationSlots">Slots that exist, active or not.</param>
/// <param name="MaxWalSenders">max_wal_senders.</param>
/// <param name="CurrentLsn">Where the next WAL is written.</param>
public sealed record ServerFacts(
    int VersionNumber, string Version, ulong SystemIdentifier, uint Timeline, string WalLevel,
    int MaxReplicationSlots, int UsedReplicationSlots, int MaxWalSenders, Lsn CurrentLsn)
{
    public int Major => VersionNumber / 10000;

    /// <summary>Whether slots can be kept on standbys (PostgreSQL 17, "Logical Replication Failover").</summary>
    public bool HasFailoverSlots => Major >= 17;
}

/// <summary>The log of a server at one moment.</summary>
/// <param name="History">Which log it is.</param>
/// <param name="End">Where it ends on disk.</param>
public sealed record ServerLog(LogHistory History, Lsn End)
{
    /// <summary>Whether a later look at the same server's log can be what this one has become, without anything having been put back or promoted meanwhile.</summary>
    public bool GoesOnAs(ServerLog later) => later.History.System == History.System && later.History.Timeline == History.Timeline && later.End >= End;
}

/// <summary>Judges a server. Pure.</summary>
public static class ServerChecks
{
    /// <summary>publish_via_partition_root and pg_replication_slots.wal_status, both of which we need, came with 13.</summary>
    public const int MinimumMajor = 13;

    /// <summary>Everything that rules the server out, worst first; empty when it will do.</summary>
    public static IReadOnlyList<SyncException> Find(ServerFacts facts, ReplicationOptions options)
    {
        var problems = new List<SyncException>();
        if (facts.Major < MinimumMajor)
            problems.Add(new SyncException(ExitCode.PostgresUnsuitable, $"PostgreSQL {facts.Version} is too old: ActorSync needs {MinimumMajor} or later."));
        if (facts.WalLevel != "logical")
            problems.Add(new SyncException(ExitCode.PostgresUnsuitable,
                $"wal_level is {facts.WalLevel}, but following changes needs logical: run ALTER SYSTEM SET wal_level = logical and restart PostgreSQL."));
        if (facts.MaxWalSenders == 0)
            problems.Add(new SyncException(ExitCode.PostgresUnsuitable,
                "max_wal_senders is 0, so that nobody can follow changes: run ALTER SYSTEM SET max_wal_senders = 10 and restart PostgreSQL."));
        if (facts.MaxReplicationSlots == 0)
            problems.Add(new SyncException(ExitCode.PostgresUnsuitable,
                "max_replication_slots is 0, so that no slot can exist: run ALTER SYSTEM SET max_replication_slots = 10 and restart PostgreSQL."));
        if (options.Failover == true && !facts.HasFailoverSlots)
            problems.Add(new SyncException(ExitCode.Configuration,
                $"postgres.repl.failover is true, but failover slots need PostgreSQL 17 and this is {facts.Version}: remove the setting or upgrade."));
        return problems;
    }

    /// <exception cref="SyncException">The first problem that <see cref="Find"/> finds.</exception>
    public static void Ensure(ServerFacts facts, ReplicationOptions options)
    {
        if (Find(facts, options) is [var first, ..]) throw first;
    }
}

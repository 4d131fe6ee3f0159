using System.Reflection;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Node.Hosting;

/// <summary>Puts the node's picture together when somebody asks. Thread-safe.</summary>
sealed class StatusBoard(SyncConfig config, NodeStats stats, TimeProvider time)
{
    static readonly string version = typeof(StatusBoard).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    readonly Lock gate = new();
    readonly DateTimeOffset startedAt = time.GetUtcNow();
    NodeState state = NodeState.Starting;
    string detail = "", postgres = "", waiting = "";
    Lsn walEnd, received, reported;
    SnapshotStatus? snapshot;

    /// <summary>The working part, once there is one.</summary>
    public NodeEngine? Engine { get; set; }

    public void Set(NodeState next, string why = "")
    {
        lock (gate)
        {
            // Once stopping, only stopped can follow.
            if (state == NodeState.Stopped || (state == NodeState.Stopping && next != NodeState.Stopped)) return;
            (state, detail) = (next, why);
        }
    }

    /// <summary>For whom the node waits in PostgreSQL; empty when it does not.</summary>
    public void SetWaiting(string forWhom)
    {
        lock (gate) waiting = forWhom;
    }

    public void SetPostgres(string address)
    {
        lock (gate) postgres = address;
    }

    public void SetWal(Lsn end, Lsn receivedUpTo, Lsn reportedUpTo)
    {
        lock (gate)
        {
            if (end > walEnd) walEnd = end;
            (received, reported) = (receivedUpTo, reportedUpTo);
        }
    }

    public void SetSnapshot(SnapshotStatus? status)
    {
        lock (gate) snapshot = status;
    }

    public NodeStatus Status
    {
        get
        {
            var engine = Engine;
            var applied = engine?.Confirmed ?? Lsn.None;
            long oldest = engine?.OldestCommitTicks ?? 0;
            int circuits = engine?.OpenCircuits ?? 0;
            var resyncs = engine?.Resyncs?.Status ?? [];
            lock (gate)
            {
                var end = received > walEnd ? received : walEnd;
                return new NodeStatus
                {
                    Version = version,
                    State = state,
                    Detail = detail.Length > 0 ? detail : waiting,
                    LastError = stats.LastError,
                    StartedAt = startedAt,
                    Slot = config.Postgres.Repl.Slot,
                    Publication = config.Postgres.Repl.Pub,
                    Postgres = postgres,
                    Redis = engine?.Redis ?? (config.Redis is { Sentinel: null, IsCluster: false } ? $"{config.Redis.Conn.Host}:{config.Redis.Conn.Port}" : ""),
                    Guarantee = Guarantees.Of(config),
                    Lsn = new LsnStatus(received.ToString(), applied.ToString(), reported.ToString()),
                    LagBytes = end > applied && applied != Lsn.None ? (long)(end.Value - applied.Value) : 0,
                    LagMs = oldest == 0 ? 0 : Math.Max(0, (time.GetUtcNow().UtcTicks - oldest) / (double)TimeSpan.TicksPerMillisecond),
                    Rates = stats.Rates,
                    Queues = engine?.Queues ?? new QueueStatus(0, 0, 0),
                    Retries = stats.Retries,
                    DeadLetters = stats.DeadLetters,
                    OpenCircuits = circuits,
                    Tables = stats.Tables,
                    Snapshot = snapshot,
                    Resyncs = resyncs,
                    History = stats.History,
                    Ready = state == NodeState.Streaming && circuits == 0 && !resyncs.Any(r => r is { IsCopy: true, IsOver: false }),
                };
            }
        }
    }
}

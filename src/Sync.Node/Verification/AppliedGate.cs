using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Progress;
using Sync.Node.Commands;
using Sync.Node.Hosting;
using Sync.Postgres.Connections;
using Sync.Postgres.Slots;
using Sync.Redis;
using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Node.Verification;

/// <summary>
/// Waits until Redis holds what PostgreSQL has committed. How far it is says the node over HTTP, or, when its endpoint does not answer, the
/// position in Redis, which follows once a second. Without a node nothing moves, and nothing is waited for.
/// </summary>
sealed class AppliedGate(SyncConfig config, PostgresPrimary primary, RespConnection redis, NodeClient? node, TimeProvider time)
{
    /// <summary>A position that stands still for so long does not move.</summary>
    static readonly TimeSpan patience = TimeSpan.FromSeconds(60);
    static readonly TimeSpan poll = TimeSpan.FromMilliseconds(20);

    /// <summary>An asynchronous commit is on disk after three times wal_writer_delay (PostgreSQL docs, "Asynchronous Commit"), 600 ms by default.</summary>
    static readonly TimeSpan flushPatience = TimeSpan.FromSeconds(1);

    readonly string progress = new RedisKeys(config.Postgres.Repl.Slot).Progress;

    /// <summary>Who keeps Redis up to date; empty when nobody does.</summary>
    public string Node { get; private set; } = "";

    public bool IsRunning => Node.Length > 0;

    /// <summary>Redis is at this position, as far as is known.</summary>
    public Lsn Applied { get; private set; }

    /// <summary>Finds out whether a node runs.</summary>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        var slot = await new SlotManager(primary, time).InspectAsync(config.Postgres.Repl.Slot, cancellationToken);
        if (await StatusAsync(cancellationToken) is { } status) Node = $"node at {node!.Url.GetLeftPart(UriPartial.Authority)}, {status.State.ToString().ToLowerInvariant()}";
        else if (slot is { IsActive: true }) Node = $"{slot.Holder?.ToString() ?? "another process"}";
        await ReadAsync(cancellationToken);
    }

    /// <summary>Where everything that can be seen now has been written to the log.</summary>
    public async Task<Lsn> CurrentAsync(CancellationToken cancellationToken)
    {
        var (inserted, flushed) = await LogAsync(cancellationToken);
        // What is visible may still be on its way to disk, and only what is there reaches the stream. What never gets there, such as the record
        // of a transaction that stays open, is not waited for.
        for (long since = time.GetTimestamp(); flushed < inserted && time.GetElapsedTime(since) < flushPatience; flushed = (await LogAsync(cancellationToken)).Flushed)
            await Task.Delay(poll, time, cancellationToken);
        return flushed < inserted ? flushed : inserted;
    }

    /// <summary>Waits until Redis holds everything up to a position; returns at once when no node runs.</summary>
    /// <param name="target">The position.</param>
    /// <param name="meanwhile">What to do while waiting, again and again.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">The node does not get there.</exception>
    public async Task WaitAsync(Lsn target, Func<Task>? meanwhile, CancellationToken cancellationToken)
    {
        if (!IsRunning) return;
        string said = "";
        for (long since = time.GetTimestamp(); Applied < target; await Task.Delay(poll, time, cancellationToken))
        {
            if (meanwhile is not null) await meanwhile();
            var before = Applied;
            said = await ReadAsync(cancellationToken);
            if (Applied > before) since = time.GetTimestamp();
            else if (time.GetElapsedTime(since) > patience)
                throw new SyncException(ExitCode.CheckFailed, string.Create(CultureInfo.InvariantCulture,
                    $"The {Node} has stood at {Applied} for {patience.TotalSeconds:0} s and should reach {target}{(said.Length > 0 ? $" ({said})" : "")}: see actorsync status, and verify again when it moves."));
        }
    }

    async Task<string> ReadAsync(CancellationToken cancellationToken)
    {
        if (await StatusAsync(cancellationToken) is { } status)
        {
            if (status.State == NodeState.Streaming && Lsn.TryParse(status.Lsn.Applied, out var applied)) Applied = applied;
            return status.Detail.Length > 0 ? status.Detail : status.LastError;
        }
        var reply = (await redis.ExecuteAsync(cancellationToken, "HGET", progress, LanePositions.ConfirmedField)).OrThrow(redis.Endpoint, redis.User);
        if (Lsn.TryParse(reply.AsString(), out var confirmed)) Applied = confirmed;
        return "";
    }

    async Task<NodeStatus?> StatusAsync(CancellationToken cancellationToken) =>
        node is not null && await node.TryStatusAsync(cancellationToken) is { State: not NodeState.Standby } status && status.Slot == config.Postgres.Repl.Slot ? status : null;

    async Task<(Lsn Inserted, Lsn Flushed)> LogAsync(CancellationToken cancellationToken)
    {
        await using var command = primary.DataSource.CreateCommand("select pg_current_wal_insert_lsn()::text, pg_current_wal_flush_lsn()::text");
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return (Lsn.Parse(row.GetString(0)), Lsn.Parse(row.GetString(1)));
    }
}

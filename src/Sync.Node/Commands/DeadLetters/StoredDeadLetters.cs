using System.Text;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.DeadLetters;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Postgres.Connections;
using Sync.Postgres.Slots;
using Sync.Redis;
using Sync.Redis.Connections;
using Sync.Redis.DeadLetters;

namespace Sync.Node.Commands.DeadLetters;

/// <summary>
/// Straight in Redis, for when no node runs. Whatever changes something holds the slot's lease meanwhile: a node that works has
/// the parked keys in memory and would go on writing to them, and one that starts waits until we are done.
/// </summary>
sealed class StoredDeadLetters(SyncConfig config, TimeProvider time) : IDeadLetterAccess
{
    const int PageSize = 500;

    readonly DeadLetterStore store = new(new RedisKeys(config.Postgres.Repl.Slot), time);
    readonly RedisDeadLetterReader reader = new(config, time);

    public Task<DeadLetterPage> ListAsync(string? after, int count, CancellationToken cancellationToken) =>
        DeadLetterPage.ReadAsync(reader, after, count, cancellationToken);

    public async Task<DeadLetterView?> GetAsync(string id, CancellationToken cancellationToken) =>
        await reader.GetAsync(id, cancellationToken) is { } letter ? DeadLetterView.Of(letter, withCommands: true) : null;

    public Task<RetryReply> RetryAsync(string? key, bool force, CancellationToken cancellationToken) => WithLeaseAsync(async connection =>
    {
        IEnumerable<byte[]> keys = key is not null ? [Encoding.UTF8.GetBytes(key)] : (await store.LoadParkedKeysAsync(connection, cancellationToken)).Keys;
        var outcome = new RetryOutcome(0, 0);
        foreach (byte[] one in keys) outcome = outcome.With(await store.ReplayAsync(connection, one, force, cancellationToken));
        return RetryReply.Of(outcome);
    }, cancellationToken);

    public Task<DropReply> DropAsync(DropRequest request, CancellationToken cancellationToken) => WithLeaseAsync(async connection =>
    {
        if (request.Id is { } id) return new DropReply((int)await store.RemoveAsync(connection, [id], cancellationToken));
        byte[]? key = request.Key is { } text ? Encoding.UTF8.GetBytes(text) : null;
        long dropped = 0;
        string? after = null;
        for (IReadOnlyList<DeadLetter> page; (page = await store.ListAsync(connection, after, PageSize, cancellationToken)).Count > 0; after = page[^1].Id)
            dropped += await store.RemoveAsync(connection, page.Where(l => key is null || l.Key.Span.SequenceEqual(key)).Select(l => l.Id!), cancellationToken);
        return new DropReply((int)dropped);
    }, cancellationToken);

    public void Dispose()
    {
    }

    async Task<T> WithLeaseAsync<T>(Func<RespConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        if (config.Redis.IsCluster)
            throw new SyncException(ExitCode.CheckFailed, "No node answers, and dead letters of a Redis Cluster are retried and dropped by the running node: start one with actorsync run, or name its address with --url.");
        string slot = config.Postgres.Repl.Slot;
        await using var primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync(cancellationToken);
        try
        {
            await using var lease = await TakeAsync(primary, slot, cancellationToken);
            if (await new SlotManager(primary, time).InspectAsync(slot, cancellationToken) is { IsActive: true } facts) throw InUse(slot, facts.Holder);
            return await reader.WithRedisAsync(work, cancellationToken);
        }
        catch (NpgsqlException e)
        {
            throw primary.Describe(e);
        }
    }

    /// <summary>The lease if it is free now; does not wait.</summary>
    async Task<SlotLease> TakeAsync(PostgresPrimary primary, string slot, CancellationToken cancellationToken)
    {
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        SlotHolder? holder = null;
        try
        {
            return await SlotLease.AcquireAsync(primary, slot, who =>
            {
                holder = who;
                giveUp.Cancel();
            }, time, giveUp.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw InUse(slot, holder);
        }
    }

    static SyncException InUse(string slot, SlotHolder? holder) => new(ExitCode.Slot,
        $"Slot {slot} is in use by {holder?.ToString() ?? "another process"}, whose HTTP endpoint does not answer where the configuration says:"
            + " name it with --url, or stop that node first.");
}

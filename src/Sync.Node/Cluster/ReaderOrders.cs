using System.Text.Json;
using Akka.Actor;
using Sync.Actors.Orders;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;
using Sync.Node.Http;
using Sync.Node.Resync;

namespace Sync.Node.Cluster;

/// <summary>
/// Re-syncs as a node knows them that need not be the reader: asks whoever is, and reads from Redis how far they are. Thread-safe.
/// </summary>
sealed class ReaderOrders(SyncConfig config, RedisLaneStore store)
{
    readonly Lock gate = new();
    IReadOnlyList<ResyncStatus> known = [];
    int orders;

    /// <summary>How far they are, as was last heard.</summary>
    public IReadOnlyList<ResyncStatus> Known
    {
        get { lock (gate) return known; }
    }

    /// <summary>Looks how far they are.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        int before = Volatile.Read(ref orders);
        var kept = await store.LoadResyncsAsync(cancellationToken);
        ResyncStatus[] found = [.. config.Tables.Select(t => kept.FirstOrDefault(k => k.Table == t.FullName).Text).OfType<string>().Select(ResyncRecord.Parse).OfType<ResyncRecord>().Select(r => r.Status)];
        lock (gate)
            // An order that was answered meanwhile is newer.
            if (orders == before) known = found;
    }

    public async Task<IReadOnlyList<ResyncStatus>> ResyncAsync(IActorRef actor, ReaderVerb verb, ResyncRequest request, CancellationToken cancellationToken)
    {
        var reply = await AskAsync<ResyncReply>(actor, verb, request, cancellationToken);
        lock (gate) (known, orders) = (reply.Resyncs, orders + 1);
        return reply.Resyncs;
    }

    /// <exception cref="SyncException">Nobody reads, or what the reader says.</exception>
    public async Task<T> AskAsync<T>(IActorRef actor, ReaderVerb verb, object request, CancellationToken cancellationToken)
    {
        // The actor sees to the time itself.
        var answer = await actor.Ask<ReaderAnswer>(new AskReader(verb, JsonSerializer.Serialize(request, request.GetType(), HttpJson.Options)), Timeout.InfiniteTimeSpan, cancellationToken);
        return answer.Code == (int)ExitCode.Ok ? JsonSerializer.Deserialize<T>(answer.Content, HttpJson.Lenient)! : throw new SyncException((ExitCode)answer.Code, answer.Content);
    }
}

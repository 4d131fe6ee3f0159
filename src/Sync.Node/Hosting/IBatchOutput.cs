using System.Threading.Channels;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;
using Sync.Redis.Cluster;
using Sync.Redis.Lanes;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// Where the reader's batches go. A worker is what carries some lanes and keeps their order: a writer of this process, or in a cluster of nodes a lane, wherever it is.
/// Whatever ends an output ends the calls that wait for it with a <see cref="ChannelClosedException"/>, and comes out of one of the tasks of <see cref="Start"/>.
/// </summary>
interface IBatchOutput
{
    /// <summary>How many workers.</summary>
    int Workers { get; }

    /// <summary>Where batches come from, and where they go that nobody uses any more.</summary>
    BatchPool Pool { get; }

    /// <summary>Of the connections that this process writes by, those that Redis keeps refusing.</summary>
    int OpenCircuits { get; }

    /// <summary>Connections to all masters of a Redis Cluster; null for a single server. Only for actions.</summary>
    ClusterConnections? Nodes { get; }

    /// <summary>Hands a batch to a worker; waits while it has no room.</summary>
    ValueTask SendAsync(int worker, Batch batch, IBatchOwner owner, CancellationToken cancellationToken);

    /// <summary>Waits until everything handed to a worker so far is in Redis or parked.</summary>
    Task DrainedAsync(int worker, CancellationToken cancellationToken);

    /// <summary>Runs an action on a connection to Redis that is refused once we were replaced. What it throws for a user to mend reaches the caller alone.</summary>
    Task ActAsync(Func<SinkSession, CancellationToken, ValueTask> action, CancellationToken cancellationToken);

    /// <summary>Begins to work, until <see cref="Complete"/> and all is written, or until cancellation. A task that fails ends all.</summary>
    IReadOnlyList<Task> Start(CancellationToken cancellationToken);

    /// <summary>No more will come.</summary>
    void Complete();
}

/// <summary>What a host adds to an engine.</summary>
interface IOutputFactory
{
    /// <summary>Which worker a lane belongs to.</summary>
    LaneRouter Router { get; }

    /// <summary>With what number the reader of a cluster begins on a Redis of this history; null for a single host.</summary>
    LaneOpening? Opening(string history);

    /// <param name="writer">What writers share.</param>
    /// <param name="parkedKeys">The ordering keys that have dead letters.</param>
    /// <param name="since">The reader of a cluster from which on takeovers of lanes count; 0 for all.</param>
    IBatchOutput Create(WriterContext writer, IEnumerable<byte[]> parkedKeys, long since);
}

/// <summary>The writers of this process.</summary>
sealed class WriterOutput(IReadOnlyList<RedisWriter> writers, BatchPool pool) : IBatchOutput
{
    public int Workers => writers.Count;
    public BatchPool Pool => pool;
    public int OpenCircuits => writers.Count(w => w.IsCircuitOpen);
    public ClusterConnections? Nodes => writers[0].Nodes;

    /// <summary>The writer itself, for what has to stand between two flights of a worker.</summary>
    public RedisWriter this[int worker] => writers[worker];

    public ValueTask SendAsync(int worker, Batch batch, IBatchOwner owner, CancellationToken cancellationToken) =>
        writers[worker].SendAsync(WriterWork.Of(batch, owner), cancellationToken);

    public Task DrainedAsync(int worker, CancellationToken cancellationToken) => writers[worker].DrainedAsync(cancellationToken);

    public Task ActAsync(Func<SinkSession, CancellationToken, ValueTask> action, CancellationToken cancellationToken) => writers[0].RunBehindAsync(action, cancellationToken);

    public IReadOnlyList<Task> Start(CancellationToken cancellationToken) => [.. writers.Select(w => Task.Run(() => w.RunAsync(cancellationToken), CancellationToken.None))];

    public void Complete()
    {
        foreach (var writer in writers) writer.Complete();
    }
}

/// <summary>A single host's: flushWorkers writers.</summary>
sealed class WriterOutputFactory(SyncConfig config) : IOutputFactory
{
    public LaneRouter Router { get; } = new(LanePositions.DefaultLanes, config.FlushWorkers);

    public LaneOpening? Opening(string history) => null;

    public IBatchOutput Create(WriterContext writer, IEnumerable<byte[]> parkedKeys, long since)
    {
        ParkedKeys[] parked = [.. Enumerable.Range(0, Router.Workers).Select(_ => new ParkedKeys())];
        foreach (byte[] key in parkedKeys) parked[Router.WorkerOf(Router.LaneOf(key))].Add(key);
        return new WriterOutput([.. parked.Select((keys, index) => new RedisWriter(index, writer, keys))], new BatchPool(Router.Workers * (2 * config.FlushQueueDepth + 2)));
    }
}

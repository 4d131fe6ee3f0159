using Sync.Actors.Ports;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;
using Sync.Node.Cluster;
using Sync.Redis.Errors;

namespace Sync.Node.Tests.Cluster;

/// <summary>
/// Lanes without actors: batches go straight to a node's writers, each lane to one of them, all that waits for a writer in one flight. A lane that was lost is
/// taken again, and its rows go on from the position that the takeover tells.
/// </summary>
sealed class DirectLanes : ILanes, IAsyncDisposable
{
    sealed class Lane
    {
        public Queue<Batch> Waiting { get; } = new();
        public List<TaskCompletionSource> Settling { get; } = [];
        public LaneTakeover? Takeover { get; set; }
        public ParkedKeys Parked { get; set; } = new();
    }

    readonly NodeLanes node;
    readonly ILaneSource source;
    readonly Lane[] lanes;
    readonly SemaphoreSlim[] called;
    readonly Task[] writing;
    readonly CancellationTokenSource ending = new();
    readonly int writers;

    public DirectLanes(NodeLanes node, ILaneSource source, int lanes, int writers)
    {
        (this.node, this.source, this.writers) = (node, source, writers);
        this.lanes = [.. Enumerable.Range(0, lanes).Select(_ => new Lane())];
        called = [.. Enumerable.Range(0, writers).Select(_ => new SemaphoreSlim(0))];
        writing = [.. Enumerable.Range(0, writers).Select(i => Task.Run(() => WriteAsync(i)))];
    }

    public int Count => lanes.Length;

    /// <summary>How often a lane was found lost.</summary>
    public int Lost { get; private set; }

    public ValueTask SendAsync(int lane, Batch batch, CancellationToken cancellationToken)
    {
        var copy = new Batch();
        copy.AddRows(1, batch.ToRows());
        lock (lanes[lane]) lanes[lane].Waiting.Enqueue(copy);
        called[lane % writers].Release();
        return ValueTask.CompletedTask;
    }

    public void Begun(long since) { }

    public ValueTask SettledAsync(int lane, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (lanes[lane])
        {
            if (lanes[lane].Waiting.Count == 0) return ValueTask.CompletedTask;
            lanes[lane].Settling.Add(done);
        }
        return new ValueTask(done.Task.WaitAsync(cancellationToken));
    }

    async Task WriteAsync(int index)
    {
        await using var writer = node.Writers.Create(index);
        try
        {
            while (true)
            {
                await called[index].WaitAsync(ending.Token);
                var work = new List<LaneWork>();
                for (int lane = index; lane < lanes.Length; lane += writers)
                    if (await WorkAsync(lane) is { } some) work.Add(some);
                if (work.Count == 0) continue;
                var outcomes = await writer.WriteAsync(work, ending.Token);
                for (int i = 0; i < work.Count; i++)
                {
                    if (outcomes[i] == LaneOutcome.Home) Home(work[i]);
                    else Again(work[i].Lane);
                }
                called[index].Release();
            }
        }
        catch (OperationCanceledException)
        {
            // The test has ended.
        }
    }

    void Again(int lane)
    {
        Lost++;
        lanes[lane].Takeover = null;
    }

    async Task<LaneWork?> WorkAsync(int number)
    {
        var lane = lanes[number];
        Batch[] batches;
        lock (lane) batches = [.. lane.Waiting];
        if (batches.Length == 0) return null;
        batches = [.. batches.TakeWhile(batch => batch.IsComparison == batches[0].IsComparison)];
        for (; lane.Takeover is null; await Task.Delay(10, ending.Token))
        {
            try
            {
                lane.Takeover = await node.Store.TakeAsync(number, ending.Token);
                lane.Parked = new ParkedKeys();
                foreach (byte[] key in lane.Takeover.ParkedKeys) lane.Parked.Add(key);
                lane.Parked.Keep();
            }
            catch (RedisTransientException) { /* Again, until it can be taken. */ }
        }
        var reached = batches.Max(b => b.Last);
        Batch[] rest = [.. batches.Select(batch => Behind(batch, lane.Takeover.Position)).Where(batch => batch.Count > 0)];
        if (rest.Length > 0) return new LaneWork(number, lane.Takeover.Claim, new LaneFlight(rest, batches.Length, reached), lane.Parked) { Epoch = lane.Takeover.Epoch };
        Home(new LaneWork(number, 0, new LaneFlight(batches, batches.Length, reached), lane.Parked));
        return await WorkAsync(number);
    }

    static Batch Behind(Batch batch, Contracts.Position position)
    {
        var rows = batch.ToRows();
        var rest = new Batch();
        rest.AddRows(1, rows, rows.CountThrough(position));
        return rest;
    }

    void Home(LaneWork work)
    {
        var lane = lanes[work.Lane];
        TaskCompletionSource[] settled = [];
        lock (lane)
        {
            for (long i = 0; i < work.Flight.Through; i++) lane.Waiting.Dequeue();
            if (lane.Waiting.Count == 0)
            {
                settled = [.. lane.Settling];
                lane.Settling.Clear();
            }
        }
        source.Applied(work.Lane, (int)work.Flight.Through);
        foreach (var one in settled) one.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await Task.WhenAll(writing);
    }
}

using Sync.Actors.Ports;

namespace Sync.Actors.Tests.Support;

/// <summary>
/// A slot with a fixed list of rows: each source reads from the confirmed one on, one source at a time, and what lanes have acknowledged without a gap is
/// confirmed. Row n has position n.
/// </summary>
/// <param name="rows">Lane and key of each row, from number 1 on.</param>
/// <param name="lanes">How many lanes.</param>
/// <param name="seed">Of the sizes of batches.</param>
sealed class FakeSlot(IReadOnlyList<(int Lane, string Key)> rows, int lanes, int seed) : ILaneSourceFactory
{
    readonly SemaphoreSlim slot = new(1);
    readonly Lock gate = new();
    readonly bool[] applied = new bool[rows.Count + 1];
    readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int confirmed;
    long epochs;

    /// <summary>Ends when all rows are confirmed.</summary>
    public Task Done => done.Task;

    public int Confirmed => Volatile.Read(ref confirmed);

    /// <summary>Rows handed over by all sources together.</summary>
    public int Handed { get; private set; }

    public long Epochs => Interlocked.Read(ref epochs);

    /// <summary>Runs at the begin of each source; may throw.</summary>
    public Func<long, Task> OnStart { get; set; } = _ => Task.CompletedTask;

    public ValueTask<long> NextEpochAsync(CancellationToken cancellationToken) => new(Interlocked.Increment(ref epochs));

    public ILaneSource Create(long epoch) => new Source(this, epoch);

    void Apply(int[] numbers)
    {
        lock (gate)
        {
            foreach (int number in numbers) applied[number] = true;
            while (confirmed < rows.Count && applied[confirmed + 1]) confirmed++;
            if (confirmed == rows.Count) done.TrySetResult();
        }
    }

    sealed class Source(FakeSlot owner, long epoch) : ILaneSource
    {
        readonly Queue<int[]>[] sent = [.. Enumerable.Range(0, owner.Lanes).Select(_ => new Queue<int[]>())];

        public async Task RunAsync(ILanes lanes, CancellationToken stop)
        {
            await owner.slot.WaitAsync(stop);
            try
            {
                await owner.OnStart(epoch);
                lanes.Begun(0);
                await ReadAsync(lanes, stop);
                await owner.Done.WaitAsync(stop);
            }
            finally
            {
                owner.slot.Release();
            }
        }

        async Task ReadAsync(ILanes lanes, CancellationToken stop)
        {
            var random = new Random(owner.Seed + (int)epoch);
            var open = new List<(int, string)>[owner.Lanes];
            for (int number = owner.Confirmed + 1; number <= owner.Rows.Count; number++)
            {
                var (lane, key) = owner.Rows[number - 1];
                (open[lane] ??= []).Add((number, key));
                if (open[lane].Count >= random.Next(1, 9)) await SendAsync(lane);
                if (random.Next(50) == 0) await SendAllAsync();
                if (random.Next(200) == 0)
                {
                    await SendAsync(lane);
                    await lanes.SettledAsync(lane, stop);
                    lock (sent) if (sent[lane].Count > 0) throw new InvalidOperationException($"Lane {lane} is not settled.");
                }
            }
            await SendAllAsync();

            async Task SendAllAsync()
            {
                for (int lane = 0; lane < open.Length; lane++) await SendAsync(lane);
            }

            async Task SendAsync(int lane)
            {
                if (open[lane] is not { Count: > 0 } rows) return;
                lock (sent) sent[lane].Enqueue([.. rows.Select(r => r.Item1)]);
                owner.Handed += rows.Count;
                open[lane] = [];
                await lanes.SendAsync(lane, Support.Rows.Batch([.. rows]), stop);
            }
        }

        public void Applied(int lane, int batches)
        {
            for (; batches > 0; batches--)
            {
                int[] numbers;
                lock (sent) numbers = sent[lane].Dequeue();
                owner.Apply(numbers);
            }
        }
    }

    int Lanes => lanes;
    int Seed => seed;
    IReadOnlyList<(int Lane, string Key)> Rows => rows;
}

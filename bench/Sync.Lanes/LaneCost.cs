using System.Diagnostics;
using System.Text;
using Akka.Actor;
using Sync.Actors.Lanes;
using Sync.Actors.Ports;
using Sync.Actors.Reading;
using Sync.Actors.Writing;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;

namespace Sync.Lanes;

/// <summary>Runs rows through a reader, lanes and writers in one process, without remoting, PostgreSQL and Redis.</summary>
static class LaneCost
{
    public static async Task<double> PutTogetherAsync(LaneCostOptions options)
    {
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        var applied = new TaskCompletionSource();
        applied.SetResult();
        await new Source(options, applied).RunAsync(new Nowhere(options.Lanes), default);
        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds * 1e6 / options.Rows;
    }

    public static async Task<string> MeasureAsync(LaneCostOptions options)
    {
        using var system = ActorSystem.Create("cost", "akka.loglevel = ERROR\nakka.coordinated-shutdown.exit-clr = off");
        var applied = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var fate = new Fate();
        var writers = system.ActorOf(Props.Create(() => new RedisWriterPool(new Writers(options), new WriterOptions(), fate, TimeProvider.System)));
        var laneOptions = new LaneOptions { Lanes = options.Lanes, KeyActorFrom = options.ActorFrom };
        var context = new LaneContext(new Store(), writers, ActorRefs.Nobody, new BatchPool(4 * options.Lanes), laneOptions, fate, "here", TimeProvider.System);
        var region = system.ActorOf(Props.Create(() => new Region(context)));
        var readerOptions = new ReaderOptions { Lanes = options.Lanes, Budget = options.BudgetMiB * 1024L * 1024 };
        var sources = new Sources(options, applied);
        var process = Process.GetCurrentProcess();
        (var cpu, long allocated, var clock) = (process.TotalProcessorTime, GC.GetTotalAllocatedBytes(), Stopwatch.StartNew());
        system.ActorOf(Props.Create(() => new ReplicationReaderActor(sources, region, readerOptions, fate, TimeProvider.System, null)));
        await applied.Task;
        process.Refresh();
        double seconds = (process.TotalProcessorTime - cpu).TotalSeconds * 1e6 / options.Rows;
        string line = $"{seconds:F2} CPU s per million rows, {clock.Elapsed.TotalSeconds:F2} s, {(GC.GetTotalAllocatedBytes() - allocated) / options.Rows} bytes a row, "
            + $"{Writers.Flights} flights of {options.Rows / Math.Max(1, Writers.Flights)} rows, {GC.GetTotalMemory(true) >> 20} MiB";
        Writers.Flights = 0;
        await system.Terminate();
        return line;
    }

    sealed class Region(LaneContext context) : UntypedActor
    {
        readonly IActorRef?[] lanes = new IActorRef?[context.Options.Lanes];

        protected override void OnReceive(object message)
        {
            if (message is not ILaneMessage { Lane: var lane }) return;
            (lanes[lane] ??= Context.ActorOf(Props.Create(() => new LaneActor(lane, context)))).Forward(message);
        }
    }

    sealed class Fate : INodeFate
    {
        public void End(SyncException cause) => Environment.Exit((int)cause.Code);
    }

    sealed class Store : ILaneStore
    {
        int claims;

        public ValueTask<LaneTakeover> TakeAsync(int lane, CancellationToken cancellationToken) => new(new LaneTakeover(Interlocked.Increment(ref claims), Position.None, []));

        public ValueTask GiveUpAsync(int lane, long claim, CancellationToken cancellationToken) => default;
    }

    sealed class Writers(LaneCostOptions options) : ILaneWriterFactory, ILaneWriter
    {
        public static int Flights;

        public bool IsCircuitOpen => false;

        public ILaneWriter Create(int index) => this;

        public async ValueTask<IReadOnlyList<LaneOutcome>> WriteAsync(IReadOnlyList<LaneWork> work, CancellationToken cancellationToken)
        {
            Interlocked.Add(ref Flights, work.Count);
            if (options.DelayMs > 0) await Task.Delay(options.DelayMs, cancellationToken);
            var outcomes = new LaneOutcome[work.Count];
            return outcomes;
        }

        public ValueTask<Sync.Actors.Ports.DeadLetterOutcome> HandleDeadLettersAsync(int lane, long claim, DeadLetterOrder order, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => default;
    }

    sealed class Sources(LaneCostOptions options, TaskCompletionSource applied) : ILaneSourceFactory
    {
        long epoch;

        public ILaneSource Create(long epoch) => new Source(options, applied);

        public ValueTask<long> NextEpochAsync(CancellationToken cancellationToken) => new(++epoch);
    }

    sealed class Nowhere(int lanes) : ILanes
    {
        public int Count => lanes;

        public void Begun(long since) { }

        public ValueTask SendAsync(int lane, Batch batch, CancellationToken cancellationToken)
        {
            GC.KeepAlive(batch.ToRows());
            return default;
        }

        public ValueTask SettledAsync(int lane, CancellationToken cancellationToken) => default;
    }

    /// <summary>Rows of about 100 bytes; each batch is for one lane, whose keys it draws at random.</summary>
    sealed class Source(LaneCostOptions options, TaskCompletionSource applied) : ILaneSource
    {
        readonly byte[] command = Encoding.ASCII.GetBytes("*4\r\n$4\r\nHSET\r\n$11\r\nuser:123456\r\n$4\r\nname\r\n$24\r\nsomebody with a long name\r\n");
        long appliedBatches;

        public async Task RunAsync(ILanes lanes, CancellationToken stop)
        {
            var random = new Random(1);
            var batch = new Batch();
            byte[] key = "public.users:000000000"u8.ToArray();
            int lane = 0, perLane = Math.Max(1, options.Keys / options.Lanes);
            for (long row = 0; row < options.Rows; lane = (lane + 1) % options.Lanes)
            {
                batch.Reset();
                for (int i = 0; i < options.Batch && row < options.Rows; i++, row++)
                {
                    int number = (random.Next(perLane) * options.Lanes) + lane;
                    for (int digit = key.Length - 1; digit >= key.Length - 9; digit--, number /= 10) key[digit] = (byte)('0' + (number % 10));
                    batch.Add(row + 1, new Position(new Lsn((ulong)row + 1), 0), command, 1, key, 0, ChangeKind.Update, 0);
                }
                await lanes.SendAsync(lane, batch, stop);
            }
            await applied.Task.WaitAsync(stop);
        }

        public void Applied(int lane, int batches)
        {
            appliedBatches += batches;
            if (appliedBatches * options.Batch >= options.Rows) applied.TrySetResult();
        }
    }
}

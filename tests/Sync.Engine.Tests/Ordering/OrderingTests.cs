using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Mapping;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;

namespace Sync.Engine.Tests.Ordering;

public class OrderingTests
{
    [Fact]
    public void Lanes_should_not_depend_on_the_number_of_workers_and_be_spread_evenly()
    {
        int[] perLane = new int[256];
        for (int i = 0; i < 100_000; i++)
        {
            byte[] key = Encoding.UTF8.GetBytes($"public.users:{i}");
            int lane = new LaneRouter(256, 1).LaneOf(key);
            new LaneRouter(256, 7).LaneOf(key).ShouldBe(lane);
            perLane[lane]++;
        }
        perLane.Min().ShouldBeGreaterThan(280);
        perLane.Max().ShouldBeLessThan(520);
    }

    [Fact]
    public void Lane_of_a_known_key_should_never_change() =>
        new LaneRouter(256, 4).LaneOf("public.users:42"u8).ShouldBe(148);

    [Theory, InlineData(0), InlineData(13), InlineData(15)]
    public void A_hash_that_goes_on_from_a_beginning_should_be_that_of_the_whole(int length) =>
        StableHash.Of(StableHash.Behind("public.users:42"u8[..length]), "public.users:42"u8).ShouldBe(StableHash.Of("public.users:42"u8));

    [Fact]
    public void Applied_positions_should_only_grow()
    {
        var applied = new AppliedPositions(2);
        applied.Raise(0, new Position(new Lsn(5), 3));
        applied.Raise(0, new Position(new Lsn(4), 9));
        applied.Covers(0, new Position(new Lsn(5), 3)).ShouldBeTrue();
        applied.Covers(0, new Position(new Lsn(5), 4)).ShouldBeFalse();
        applied.Covers(1, new Position(new Lsn(0), 1)).ShouldBeFalse();
    }

    /// <summary>
    /// Keys go through router and assembler for any number of workers; workers take batches in any interleaving, but each its own in order.
    /// Whatever the schedule, every change arrives once, and changes of one key in the order they were read.
    /// </summary>
    [Fact]
    public void Changes_of_a_key_should_keep_their_order_for_any_number_of_workers() =>
        Prop.ForAll<int>(seed =>
        {
            var random = new System.Random(seed);
            int workers = random.Next(1, 9), keys = random.Next(1, 20), rows = random.Next(1, 400);
            var router = new LaneRouter(16, workers);
            var progress = new ProgressTracker(workers);
            var assembler = new BatchAssembler(workers, new BatchLimits(random.Next(1, 10), 200), progress, () => new Batch());
            var queues = Enumerable.Range(0, workers).Select(_ => new Queue<Batch>()).ToArray();
            var seen = new List<(string Key, ulong Step)>();
            for (int row = 1; row <= rows; row++)
            {
                byte[] key = Encoding.UTF8.GetBytes($"k{random.Next(keys)}");
                int worker = router.WorkerOf(router.LaneOf(key));
                bool full = assembler.Add(worker, new Position(new Lsn(1), (ulong)row), "*1\r\n$4\r\nPING\r\n"u8, 1, key, 0, ChangeKind.Insert, 0);
                if (full || random.Next(4) == 0) Post(worker);
                if (random.Next(3) == 0) Work(random.Next(workers));
            }
            progress.Committed(assembler.Sequence, new Lsn(9));
            for (int worker = 0; worker < workers; worker++) Post(worker);
            for (int worker = 0; worker < workers; worker++)
                while (queues[worker].Count > 0) Work(worker);
            seen.Count.ShouldBe(rows);
            foreach (var ofKey in seen.GroupBy(s => s.Key)) ofKey.Select(s => s.Step).ShouldBeInOrder();
            progress.Confirmed.ShouldBe(new Lsn(9));
            progress.IsIdle.ShouldBeTrue();

            void Post(int worker)
            {
                if (assembler.Take(worker) is { } batch) queues[worker].Enqueue(batch);
            }

            void Work(int worker)
            {
                if (!queues[worker].TryDequeue(out var batch)) return;
                foreach (var entry in batch.Entries) seen.Add((Encoding.UTF8.GetString(batch.Key(entry)), entry.Position.Step));
                progress.Applied(worker);
            }
        }).QuickCheckThrowOnFailure();
}

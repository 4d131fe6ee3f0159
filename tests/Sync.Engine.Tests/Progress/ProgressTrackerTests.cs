using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts;
using Sync.Engine.Progress;

namespace Sync.Engine.Tests.Progress;

public class ProgressTrackerTests
{
    static Lsn At(long value) => new((ulong)value);

    [Fact]
    public void Commit_should_wait_for_the_oldest_batch_under_way()
    {
        var tracker = new ProgressTracker(2);
        tracker.Begun(0, 1);
        tracker.Begun(1, 2);
        tracker.Committed(2, At(20));
        tracker.Begun(0, 3);
        tracker.Committed(3, At(30));
        tracker.Applied(1);
        tracker.Confirmed.ShouldBe(Lsn.None, "change set 1 is still under way");
        tracker.Applied(0);
        tracker.Confirmed.ShouldBe(At(20));
        tracker.Applied(0);
        tracker.Confirmed.ShouldBe(At(30));
    }

    [Fact]
    public void Batch_that_spans_commits_should_hold_all_of_them()
    {
        var tracker = new ProgressTracker(1);
        tracker.Begun(0, 1);
        tracker.Committed(1, At(10));
        tracker.Committed(2, At(20));
        tracker.Confirmed.ShouldBe(Lsn.None);
        tracker.Applied(0);
        tracker.Confirmed.ShouldBe(At(20));
    }

    [Fact]
    public void Idle_log_should_count_only_when_nothing_is_under_way()
    {
        var tracker = new ProgressTracker(1, At(5));
        tracker.Begun(0, 1);
        tracker.Idle(At(100));
        tracker.Confirmed.ShouldBe(At(5));
        tracker.Applied(0);
        tracker.Idle(At(100));
        tracker.Confirmed.ShouldBe(At(100));
        tracker.Idle(At(50));
        tracker.Confirmed.ShouldBe(At(100));
    }

    [Fact]
    public void Empty_commits_should_pass_at_once_when_idle()
    {
        var tracker = new ProgressTracker(1);
        tracker.Committed(0, At(10));
        tracker.Confirmed.ShouldBe(At(10));
    }

    /// <summary>Any interleaving of readers and workers, against a model that remembers every change set.</summary>
    [Fact]
    public void Confirmed_should_equal_the_model_for_any_interleaving() =>
        Prop.ForAll<int, NonEmptyArray<byte>>((seed, steps) =>
        {
            var random = new System.Random(seed);
            int workers = random.Next(1, 5);
            var tracker = new ProgressTracker(workers);
            var batches = new Queue<List<long>>[workers];
            var open = new List<long>?[workers];
            for (int w = 0; w < workers; w++) batches[w] = new Queue<List<long>>();
            var pending = new SortedSet<long>();
            var commits = new List<(long Sequence, Lsn Lsn)>();
            long sequence = 0;
            ulong lsn = 1;
            foreach (byte step in steps.Get)
            {
                int worker = step % workers;
                switch (step / 50)
                {
                    case 0 or 1:
                        pending.Add(++sequence);
                        if (open[worker] is null)
                        {
                            batches[worker].Enqueue(open[worker] = []);
                            tracker.Begun(worker, sequence);
                        }
                        open[worker]!.Add(sequence);
                        break;
                    case 2:
                        commits.Add((sequence, new Lsn(++lsn)));
                        tracker.Committed(sequence, new Lsn(lsn));
                        break;
                    default:
                        if (!batches[worker].TryDequeue(out var done)) break;
                        if (ReferenceEquals(done, open[worker])) open[worker] = null;
                        pending.ExceptWith(done);
                        tracker.Applied(worker);
                        break;
                }
                var expected = commits.TakeWhile(c => pending.Count == 0 || c.Sequence < pending.Min).Select(c => c.Lsn).LastOrDefault();
                tracker.Confirmed.ShouldBe(expected);
            }
        }).QuickCheckThrowOnFailure();
}

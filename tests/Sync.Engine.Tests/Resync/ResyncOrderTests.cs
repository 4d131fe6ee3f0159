using Sync.Contracts.Rows;
using Sync.Engine.Resync;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Resync;

/// <summary>
/// The order of readings and changes on a PostgreSQL and a Redis of a few rows: commits come into the log at once and become visible later, in
/// any order that row locks allow; the stream lags behind by any number of them; readings happen at any moment.
/// </summary>
public class ResyncOrderTests
{
    static readonly Relation Rows = Relation("id/Integer v");

    [Fact]
    public void No_schedule_should_put_an_older_row_over_a_newer_change_or_leave_drift()
    {
        for (int seed = 0; seed < 3000; seed++) new Play(seed).Run(watches: true).ShouldBe("", $"seed {seed}");
    }

    [Fact]
    public void Without_the_watch_some_schedule_should_fail() =>
        Enumerable.Range(0, 3000).Any(seed => new Play(seed).Run(watches: false).Length > 0).ShouldBeTrue("else the test above proves nothing");

    /// <param name="Id">Transaction.</param>
    /// <param name="Changes">Row to version; 0 for none any more. Null for the message of a reading.</param>
    sealed record Commit(uint Id, Dictionary<int, int>? Changes);

    sealed class Play(int seed)
    {
        const int rows = 4, steps = 60;

        readonly Random random = new(seed);
        readonly List<Commit> log = [];
        readonly HashSet<uint> visible = [];
        readonly Dictionary<int, int> redis = [];
        readonly RecentTransactions recent = new(64);
        readonly ChangeWatch watch = new();
        uint next = 4294967280;
        int version, streamed;

        public string Run(bool watches)
        {
            for (int i = 0; i < random.Next(8); i++) Change();
            while (streamed < log.Count - random.Next(3)) Stream(watched: false);
            // Drift: what Redis lost, and what it has of old.
            for (int row = 0; row < rows; row++)
                if (random.Next(2) == 0) redis[row] = random.Next(2) == 0 ? 0 : -1;
            watch.Restart();
            uint[] before = recent.ToArray();
            while (!before.All(visible.Contains)) Show();
            var open = Enumerable.Range(0, rows).ToList();
            for (int step = 0; open.Count > 0 && step < 40; step++)
            {
                for (int i = 0; i < random.Next(6); i++) Any();
                var sight = Sight();
                var read = open.ToDictionary(row => row, Seen);
                for (int i = 0; i < random.Next(steps / 10); i++) Any();
                log.Add(new Commit(next++, null));
                int message = log.Count;
                while (streamed < message) Any();
                open = [.. open.Where(row => watches && watch.IsNewer([$"{row}"], sight))];
                foreach (int row in read.Keys.Except(open))
                {
                    int expected = InLog(row, message);
                    if (read[row] != expected) return $"row {row} was read as {read[row]}, the stream is at {expected}";
                    redis[row] = read[row];
                }
                watch.Forget(sight);
                if (step > 20) while (streamed < log.Count) Stream(watched: true);
                if (step > 20) while (log.Any(c => !visible.Contains(c.Id))) Show();
            }
            while (streamed < log.Count) Stream(watched: true);
            var wrong = Enumerable.Range(0, rows).Where(row => redis.GetValueOrDefault(row) != InLog(row, log.Count)).ToList();
            return open.Count > 0 ? "rows were never settled" : wrong.Count > 0 ? $"rows {string.Join(',', wrong)} differ at the end" : "";
        }

        void Any()
        {
            switch (random.Next(3))
            {
                case 0: Change(); break;
                case 1: Show(); break;
                default: if (streamed < log.Count) Stream(watched: true); break;
            }
        }

        /// <summary>Only rows whose last change can be seen have a free lock.</summary>
        void Change()
        {
            var changes = new Dictionary<int, int>();
            for (int i = 0; i < random.Next(1, 3); i++)
            {
                int row = random.Next(rows);
                if (log.Where(c => c.Changes?.ContainsKey(row) == true).All(c => visible.Contains(c.Id))) changes[row] = random.Next(4) == 0 ? 0 : ++version;
            }
            if (changes.Count > 0) log.Add(new Commit(next++, changes));
        }

        void Show()
        {
            var waiting = log.Where(c => !visible.Contains(c.Id)).ToList();
            if (waiting.Count > 0) visible.Add(waiting[random.Next(waiting.Count)].Id);
        }

        void Stream(bool watched)
        {
            var commit = log[streamed++];
            recent.Add(commit.Id);
            foreach (var (row, now) in commit.Changes ?? [])
            {
                redis[row] = now;
                var (data, cells) = Image([$"{row}", "x"]);
                var tuple = new RowTuple(data, cells);
                if (watched && now == 0) watch.Note(new RowChange { Relation = Rows, Kind = ChangeKind.Delete, Old = tuple, TransactionId = commit.Id });
                else if (watched) watch.Note(new RowChange { Relation = Rows, Kind = ChangeKind.Update, New = tuple, TransactionId = commit.Id });
            }
        }

        SnapshotSight Sight()
        {
            ulong Full(uint id) => id >= 4294967280 ? id : id + 4294967296UL;
            var hidden = log.Where(c => !visible.Contains(c.Id)).Select(c => Full(c.Id)).ToList();
            ulong end = Full(next);
            return SnapshotSight.Parse($"{(hidden.Count > 0 ? hidden.Min() : end)}:{end}:{string.Join(',', hidden)}");
        }

        int Seen(int row) => log.LastOrDefault(c => visible.Contains(c.Id) && c.Changes?.ContainsKey(row) == true)?.Changes![row] ?? 0;

        int InLog(int row, int count) => log.Take(count).LastOrDefault(c => c.Changes?.ContainsKey(row) == true)?.Changes![row] ?? 0;
    }
}

using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;

namespace Sync.Node.Hosting;

/// <summary>
/// Running totals of a node and their rates over the last ten seconds. Fed once per batch; thread-safe.
/// </summary>
sealed class NodeStats(IReadOnlyList<string> tables, TimeProvider time)
{
    const int windowSeconds = 10;

    readonly Lock gate = new();
    readonly TableTotals[] perTable = [.. tables.Select(t => new TableTotals(t))];
    readonly Queue<(long At, long Rows, long Commands, long Bytes)> window = new();
    long rows, commands, bytes, retries, deadLetters;
    string lastError = "";
    Position highest;
    HistoryStatus? history;

    public long Rows => Interlocked.Read(ref rows);

    public long Retries => Interlocked.Read(ref retries);

    /// <summary>Entries in the dead letters, as far as this node knows.</summary>
    public long DeadLetters => Interlocked.Read(ref deadLetters);

    /// <summary>The highest position that Redis acknowledged to this process; a Redis that knows less has fallen back.</summary>
    public Position Highest
    {
        get { lock (gate) return highest; }
    }

    /// <summary>What was acknowledged is known to be lost, and being written again.</summary>
    public void ForgetHighest()
    {
        lock (gate) highest = Position.None;
    }

    /// <summary>The log that is followed; null before it is known.</summary>
    public HistoryStatus? History
    {
        get { lock (gate) return history; }
    }

    /// <summary>A log is followed from now on.</summary>
    /// <param name="system">Its cluster.</param>
    /// <param name="timeline">Its timeline.</param>
    /// <param name="change">What was found and done when it is another history than before; null when it is not.</param>
    public void SetHistory(string system, uint timeline, string? change)
    {
        lock (gate)
            history = change is null ? new HistoryStatus(system, timeline, history?.Change ?? "", history?.ChangedAt) : new HistoryStatus(system, timeline, change, time.GetUtcNow());
    }

    public string LastError
    {
        get { lock (gate) return lastError; }
    }

    public void SetError(string error)
    {
        lock (gate) lastError = error;
    }

    public void Retried() => Interlocked.Increment(ref retries);

    public void SetDeadLetters(long count) => Interlocked.Exchange(ref deadLetters, count);

    public void Applied(Batch batch)
    {
        lock (gate)
        {
            foreach (ref readonly var entry in batch.Entries)
            {
                var table = perTable[entry.Table];
                table.Rows++;
                if (entry.CommitTicks > 0) table.LastCommitTicks = entry.CommitTicks;
            }
            if (batch.Last > highest) highest = batch.Last;
            rows += batch.Count;
            commands += batch.Commands;
            bytes += batch.Body.Length;
        }
    }

    public void Skipped(int table, long count)
    {
        lock (gate) perTable[table].Skipped += count;
    }

    public void Parked(DeadLetter letter)
    {
        Interlocked.Increment(ref deadLetters);
        lock (gate)
        {
            // What only waits behind another one says nothing about the cause.
            if (letter.Attempts > 0) lastError = $"{letter.Table}: {letter.Error}";
            if (Array.Find(perTable, t => t.Name == letter.Table) is { } table) table.Parked++;
        }
    }

    public void Stopped(int table, string error)
    {
        lock (gate) perTable[table].Error = error;
    }

    /// <summary>What may be wrong with the table in Redis; empty takes it back.</summary>
    public void Noticed(int table, string notice)
    {
        lock (gate) perTable[table].Notice = notice;
    }

    public IReadOnlyList<TableStatus> Tables
    {
        get
        {
            lock (gate)
                return [.. perTable.Select(t => new TableStatus(t.Name, t.Rows, t.Skipped, t.Parked, t.Error,
                    t.LastCommitTicks == 0 ? null : new DateTimeOffset(t.LastCommitTicks, TimeSpan.Zero), t.Notice))];
        }
    }

    /// <summary>Takes a sample; called about once a second, so that the rates have something to look back at.</summary>
    public void Sample()
    {
        lock (gate)
        {
            long now = time.GetTimestamp();
            window.Enqueue((now, rows, commands, bytes));
            while (window.Count > 2 && time.GetElapsedTime(window.Peek().At, now).TotalSeconds > windowSeconds) window.Dequeue();
        }
    }

    public RateStatus Rates
    {
        get
        {
            lock (gate)
            {
                if (!window.TryPeek(out var first)) return new RateStatus(0, 0, 0);
                double seconds = Math.Max(0.001, time.GetElapsedTime(first.At).TotalSeconds);
                return new RateStatus((rows - first.Rows) / seconds, (commands - first.Commands) / seconds, (bytes - first.Bytes) / seconds);
            }
        }
    }

    sealed class TableTotals(string name)
    {
        public string Name => name;
        public long Rows, Skipped, Parked, LastCommitTicks;
        public string Error = "", Notice = "";
    }
}

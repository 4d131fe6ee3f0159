using Akka.Actor;
using Sync.Actors.Ports;
using Sync.Contracts.Cluster;
using Sync.Contracts.Cluster.Wire;
using Sync.Engine.Lanes;

namespace Sync.Actors.Reading;

/// <summary>
/// What a reader has from its start to its end: a sender for each lane, the bound over all of them, the source and the hand-over between them. Belongs to the
/// reader's actor.
/// </summary>
sealed class ReaderSession
{
    readonly ReaderOptions options;
    readonly IActorRef region, self;
    readonly ILaneSource source;
    readonly LaneSender[] senders;
    readonly List<TaskCompletionSource>?[] settling;
    readonly CreditBudget budget;
    readonly LaneHandover handover;
    readonly CancellationTokenSource stopping = new();

    public ReaderSession(long epoch, ILaneSource source, ReaderOptions options, IActorRef region, IActorRef self)
    {
        (Epoch, this.source, this.options, this.region, this.self) = (epoch, source, options, region, self);
        senders = [.. Enumerable.Range(0, options.Lanes).Select(lane => new LaneSender(lane, epoch, options.Sender))];
        settling = new List<TaskCompletionSource>?[options.Lanes];
        budget = new CreditBudget(options.Budget);
        handover = new LaneHandover(options.Lanes, options.Ahead, self);
    }

    public long Epoch { get; }

    /// <summary>Bytes that no lane has acknowledged.</summary>
    public long UnderWay => budget.UnderWay;

    /// <summary>Whether any lane has acknowledged anything.</summary>
    public bool HasProgress { get; private set; }

    /// <summary>Says from which reader on takeovers of lanes count. Before the first batch.</summary>
    public void CountSince(long since)
    {
        foreach (var sender in senders) sender.Since = since;
    }

    /// <summary>Runs the source to its end.</summary>
    public Task RunAsync() => Task.Run(() => source.RunAsync(handover, stopping.Token));

    /// <summary>Asks the source to stop; what it has read goes on.</summary>
    public void Stop() => stopping.Cancel();

    /// <summary>Nothing goes on: what the source waits for will not come.</summary>
    public void Abandon()
    {
        handover.Close();
        foreach (var waiting in settling) waiting?.ForEach(w => w.TrySetCanceled());
        stopping.Cancel();
    }

    /// <summary>Takes up what the source has put down, as far as credit allows.</summary>
    public void TakeUp(DateTimeOffset now)
    {
        handover.Woken();
        while (handover.TryPeek(out var handed))
        {
            var sender = senders[handed.Lane];
            if (handed.Rows is { } rows)
            {
                if (!sender.HasRoomFor(rows.Bytes) || !budget.TryTake(rows.Bytes)) return;
                var parts = LaneFrames.Split(rows, options.MessageBytes);
                for (int i = 0; i < parts.Count; i++) sender.Add(parts[i], endsBatch: i == parts.Count - 1);
                Send(sender, now);
            }
            else if (sender.IsSettled) handed.Settled!.TrySetResult();
            else (settling[handed.Lane] ??= []).Add(handed.Settled!);
            handover.Take();
        }
    }

    /// <summary>Asks the lanes that have been silent for too long.</summary>
    public void Look(DateTimeOffset now)
    {
        foreach (var sender in senders)
            if (sender.WakesAt <= now) Send(sender, now);
    }

    /// <summary>A lane has answered.</summary>
    /// <returns>False when it knows of a later reader.</returns>
    public bool Answered(IClusterMessage answer, DateTimeOffset now)
    {
        var sender = senders[answer switch { LaneAck a => a.Lane, LaneResume r => r.Lane, LaneDrained d => d.Lane, _ => throw new ArgumentException(answer.ToString()) }];
        switch (answer)
        {
            case LaneAck ack: Settle(sender, sender.Acknowledged(ack, now)); break;
            case LaneResume resume: sender.Resumed(resume, now); break;
            case LaneDrained drained: Settle(sender, sender.Drained(drained, now)); break;
        }
        if (sender.NewestEpoch > Epoch) return false;
        Send(sender, now);
        TakeUp(now);
        return true;
    }

    void Settle(LaneSender sender, LaneSettled settled)
    {
        budget.Release(settled.Bytes);
        if (settled.Batches > 0)
        {
            HasProgress = true;
            source.Applied(sender.Lane, settled.Batches);
        }
        if (!sender.IsSettled || settling[sender.Lane] is not { } waiting) return;
        settling[sender.Lane] = null;
        foreach (var one in waiting) one.TrySetResult();
    }

    void Send(LaneSender sender, DateTimeOffset now)
    {
        while (sender.Next(now) is { } batch) region.Tell(batch, self);
    }
}

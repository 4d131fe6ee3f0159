using Akka.Actor;
using Sync.Actors.Ports;
using Sync.Contracts.Cluster;
using Answered = Sync.Contracts.Cluster.DeadLetterOutcome;

namespace Sync.Actors.Lanes;

/// <summary>
/// What operators want done with the dead letters of a lane: one order after the other, each between two flights. An order that comes twice under one name is
/// done once, because whoever asks asks again when the answer does not come.
/// </summary>
sealed class LaneOrders(int lane)
{
    const int most = 16, remembered = 16;

    sealed class Request(string name, IActorRef asker, Queue<DeadLetterOrder> steps)
    {
        public string Name => name;
        public IActorRef Asker { get; set; } = asker;
        public Queue<DeadLetterOrder> Steps => steps;
        public int Handled { get; set; }
        public int Failed { get; set; }
    }

    readonly Queue<Request> waiting = new();
    readonly Queue<DeadLetterAnswer> answers = new();

    /// <summary>Whether the writer is at work for one.</summary>
    public bool IsUnderWay { get; private set; }

    public bool HasNext => !IsUnderWay && waiting.Count > 0;

    public bool IsIdle => waiting.Count == 0;

    /// <summary>Somebody wants letters applied again.</summary>
    public void Add(DeadLetterRetry retry, IActorRef asker) =>
        Add(retry.Request, asker, new Queue<DeadLetterOrder>([new(KeyOf(retry.Key), Drops: false, Id: null, retry.Force)]));

    /// <summary>Somebody wants letters dropped.</summary>
    public void Add(DeadLetterDrop drop, IActorRef asker)
    {
        byte[]? key = KeyOf(drop.Key);
        IEnumerable<string?> ids = drop.Ids;
        if (drop.Ids.Count == 0) ids = [null];
        Add(drop.Request, asker, new Queue<DeadLetterOrder>(ids.Select(id => new DeadLetterOrder(key, Drops: true, id, Force: false))));
    }

    /// <summary>What the writer has to do next.</summary>
    public DeadLetterOrder Begin()
    {
        IsUnderWay = true;
        return waiting.Peek().Steps.Dequeue();
    }

    /// <summary>The writer has done it.</summary>
    public void Ended(Ports.DeadLetterOutcome outcome)
    {
        IsUnderWay = false;
        var request = waiting.Peek();
        request.Handled += outcome.Done;
        request.Failed += outcome.Failed;
        if (request.Steps.Count > 0) return;
        waiting.Dequeue();
        var answer = new DeadLetterAnswer(
            lane, request.Name, request.Failed > 0 ? Answered.Refused : Answered.Done, request.Handled, request.Failed,
            request.Failed > 0 ? "Redis refused a letter again" : "");
        answers.Enqueue(answer);
        if (answers.Count > remembered) answers.Dequeue();
        request.Asker.Tell(answer);
    }

    /// <summary>The lane can't do it now: whoever asked asks again.</summary>
    public void Abandon()
    {
        IsUnderWay = false;
        while (waiting.TryDequeue(out var request)) Refuse(request.Name, request.Asker);
    }

    /// <summary>The lane can't take an order now.</summary>
    public void Refuse(string request, IActorRef asker) => asker.Tell(new DeadLetterAnswer(lane, request, Answered.Moving, 0, 0, ""));

    void Add(string name, IActorRef asker, Queue<DeadLetterOrder> steps)
    {
        if (answers.FirstOrDefault(a => a.Request == name) is { } known) asker.Tell(known);
        else if (waiting.FirstOrDefault(r => r.Name == name) is { } again) again.Asker = asker;
        else if (waiting.Count == most) Refuse(name, asker);
        else waiting.Enqueue(new Request(name, asker, steps));
    }

    static byte[]? KeyOf(ReadOnlyMemory<byte> key) => key.IsEmpty ? null : key.ToArray();
}

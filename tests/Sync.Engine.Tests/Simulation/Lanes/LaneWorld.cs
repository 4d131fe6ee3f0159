using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Engine.Batching;

namespace Sync.Engine.Tests.Simulation.Lanes;

/// <param name="Violation">What must never happen and did; null when all held.</param>
/// <param name="Steps">Steps of the schedule.</param>
/// <param name="Applied">Changes in Redis at the end.</param>
/// <param name="Parked">Changes in the dead letters at the end.</param>
/// <param name="Claims">Takeovers of lanes.</param>
/// <param name="Messages">Messages that were sent.</param>
/// <param name="Trace">What happened, line by line; empty unless asked for.</param>
sealed record LaneRunResult(string? Violation, int Steps, int Applied, int Parked, long Claims, int Messages, string Trace);

/// <summary>
/// The scheduler: at each step it draws one of all things that could happen next, until nothing can. It is also the region, which loses, doubles, delays and
/// misroutes what reader and lanes say to each other. Time is virtual.
/// </summary>
sealed partial class LaneWorld : ITraced
{
    const int mostSteps = 6_000;

    enum Choice { RunRequest, StepWriter, Read, Flush, Send, Confirm, RunUnread, ToLane, ToReader, Take, Offer, GiveUp, TimePasses }

    static readonly TimeSpan stepTime = TimeSpan.FromMilliseconds(5);

    [ThreadStatic] static Stack<Batch>? pool;

    readonly List<Batch> rented = [];
    readonly List<LaneNode> nodes = [];
    readonly List<SimulatedReader> readers = [];
    readonly List<LaneBatch> toLanes = [];
    readonly List<IClusterMessage> toReader = [];
    readonly List<(Choice Kind, object? Who, int Index)> choices = [];
    readonly StringBuilder trace = new();
    readonly int[] home = new int[LaneScenario.Lanes];
    readonly bool keepsOrder;
    int started, refusals, step, loss, messages;
    bool misroutes;

    LaneWorld(LaneScenario scenario, LaneMutation mutation, bool tracing)
    {
        Scenario = scenario;
        Mutation = mutation;
        IsTracing = tracing;
        Random = new Random(scenario.Seed);
        Redis = new LaneRedis(scenario, mutation);
        Credit = scenario.Credit;
        loss = scenario.Loss;
        keepsOrder = loss == 0;
    }

    public LaneScenario Scenario { get; }
    public LaneMutation Mutation { get; }
    public bool IsTracing { get; }
    public Random Random { get; }
    public LaneRedis Redis { get; }
    public long Credit { get; private set; }

    /// <summary>Requests of dead connections that Redis has received and not read yet.</summary>
    public List<LaneRequest> Unread { get; } = [];

    /// <summary>What PostgreSQL was told that it may forget.</summary>
    public Lsn Confirmed { get; private set; }

    public DateTimeOffset Now { get; private set; } = DateTimeOffset.UnixEpoch;

    SimulatedReader Active => readers[^1];

    public static LaneRunResult Run(LaneScenario scenario, LaneMutation mutation = LaneMutation.None, bool tracing = false)
    {
        var world = new LaneWorld(scenario, mutation, tracing);
        try
        {
            world.Play();
        }
        catch (InvalidOperationException e)
        {
            // One side notices that the other one breaks the protocol.
            world.Redis.Fail(e.Message);
        }
        foreach (var batch in world.rented)
        {
            batch.Reset();
            (pool ??= new()).Push(batch);
        }
        var redis = world.Redis;
        if (redis.Violation is { } violation) world.Trace($"VIOLATION: {violation}");
        return new LaneRunResult(redis.Violation, world.step, redis.Applied.Count, redis.Parked.Count, redis.LastClaim, world.messages, world.trace.ToString());
    }

    public Batch Rent()
    {
        var batch = pool is { Count: > 0 } ? pool.Pop() : new Batch();
        rented.Add(batch);
        return batch;
    }

    public void Send(LaneBatch message)
    {
        Trace($"reader sends {message.Epoch}/{message.Seq} (oldest {message.OldestUnacked}) to lane {message.Lane}");
        for (int copies = Copies(); copies > 0; copies--) toLanes.Add(message);
    }

    public void Answer(IClusterMessage message)
    {
        Trace($"answer: {message}");
        for (int copies = Copies(); copies > 0; copies--) toReader.Add(message);
    }

    int Copies()
    {
        messages++;
        int drawn = loss == 0 ? 100 : Random.Next(100);
        return drawn < loss ? 0 : drawn < 2 * loss ? 2 : 1;
    }

    public void Trace([InterpolatedStringHandlerArgument("")] TraceLine line)
    {
        if (IsTracing) trace.Append(CultureInfo.InvariantCulture, $"  {step,4} ").AppendLine(line.ToString());
    }

    void Play()
    {
        for (int i = 0; i < Scenario.Nodes; i++) nodes.Add(new LaneNode(this, ++started));
        for (int lane = 0; lane < home.Length; lane++) home[lane] = Random.Next(nodes.Count);
        readers.Add(new SimulatedReader(this));
        ToRest();
        // From now on nothing goes wrong any more, and whoever sleeps wakes up with all it had in mind.
        (loss, refusals, misroutes) = (0, 0, false);
        foreach (var node in nodes) node.IsFrozen = false;
        ToRest();
        Redis.CheckComplete(new Lsn(ulong.MaxValue));
        if (Redis.Applied.Count + Redis.Parked.Count != Redis.Changes) Redis.Fail("at the end not every change is applied or parked");
        var end = Simulation.Scenario.EndOf(Scenario.Transactions.Count - 1);
        if (Confirmed != end) Redis.Fail($"at rest PostgreSQL keeps the log from {Confirmed} though all up to {end} is done");
    }

    void ToRest()
    {
        int fault = 0, most = step + mostSteps;
        for (; Redis.Violation is null; step++, Now += stepTime)
        {
            if (step == most)
            {
                Redis.Fail("it does not come to rest");
                return;
            }
            for (; fault < Scenario.Faults.Count && Scenario.Faults[fault].Step <= step; fault++)
                if (Scenario.Faults[fault].Step == step) Happen(Scenario.Faults[fault]);
            Choices();
            if (choices.Count > 0) Take(choices[Random.Next(choices.Count)]);
            else if (NextWaking() is { } time) Now = time;
            else return;
        }
    }

    void Choices()
    {
        choices.Clear();
        foreach (var node in nodes) Choices(node);
        readers.RemoveAll(reader => reader.HasLeft && reader != Active);
        foreach (var reader in readers)
        {
            if (reader.CanRead) choices.Add((Choice.Read, reader, 0));
            if (reader.CanFlush) choices.Add((Choice.Flush, reader, 0));
            if (reader.Confirmable > Confirmed || (reader != Active && reader.Confirmable > Lsn.None && Random.Next(8) == 0)) choices.Add((Choice.Confirm, reader, 0));
            for (int lane = 0; lane < LaneScenario.Lanes; lane++)
                if (reader.CanSend(lane)) choices.Add((Choice.Send, reader, lane));
        }
        for (int i = 0; i < Unread.Count; i++) choices.Add((Choice.RunUnread, null, i));
        for (int i = Math.Min(2, toLanes.Count); i > 0; i--) choices.Add((Choice.ToLane, null, 0));
        for (int i = Math.Min(2, toReader.Count); i > 0; i--) choices.Add((Choice.ToReader, null, 0));
        if (choices.Count > 0 && Random.Next(8) == 0 && NextWaking() is { } at && at > Now) choices.Add((Choice.TimePasses, null, 0));
    }

    void Choices(LaneNode node)
    {
        foreach (var writer in node.Writers)
        {
            if (writer.Unrun is { } request) choices.Add((Choice.RunRequest, request, 0));
            if (!node.IsFrozen && writer.CanStep) choices.Add((Choice.StepWriter, writer, 0));
        }
        if (node.IsFrozen) return;
        foreach (var lane in node.Lanes)
        {
            if (lane.IsTaking) choices.Add((Choice.Take, lane, 0));
            if (lane.CanOffer) choices.Add((Choice.Offer, lane, 0));
            if (lane.CanGiveUp) choices.Add((Choice.GiveUp, lane, 0));
        }
    }

    void Take((Choice Kind, object? Who, int Index) choice)
    {
        switch (choice.Kind)
        {
            case Choice.RunRequest:
                RunRequest((LaneRequest)choice.Who!);
                break;
            case Choice.StepWriter:
                ((SimulatedLaneWriter)choice.Who!).Step();
                break;
            case Choice.Read:
                ((SimulatedReader)choice.Who!).Read();
                break;
            case Choice.Flush:
                ((SimulatedReader)choice.Who!).Flush();
                break;
            case Choice.Send:
                ((SimulatedReader)choice.Who!).Send(choice.Index);
                break;
            case Choice.Confirm:
                Confirm((SimulatedReader)choice.Who!);
                break;
            case Choice.RunUnread:
                var left = Unread[choice.Index];
                Unread.RemoveAt(choice.Index);
                if (!left.Connection.IsKilled) RunRequest(left);
                break;
            case Choice.ToLane:
                Deliver(Draw(toLanes));
                break;
            case Choice.ToReader:
                var message = Draw(toReader);
                // A lane may still know the reader before.
                readers[Random.Next(readers.Count)].Receive(message);
                break;
            case Choice.Take:
                ((SimulatedLane)choice.Who!).StepTaking();
                break;
            case Choice.Offer:
                ((SimulatedLane)choice.Who!).Offer();
                break;
            case Choice.GiveUp:
                ((SimulatedLane)choice.Who!).GiveUp();
                break;
            case Choice.TimePasses:
                Now = NextWaking()!.Value;
                break;
        }
        if (Active.HasLeft) readers.Add(new SimulatedReader(this));
    }

    T Draw<T>(List<T> messages)
    {
        int index = keepsOrder || Random.Next(3) > 0 ? 0 : Random.Next(messages.Count);
        var drawn = messages[index];
        messages.RemoveAt(index);
        return drawn;
    }

    /// <summary>The region: a lane that is not where it belongs is started there.</summary>
    void Deliver(LaneBatch message)
    {
        int at = misroutes && Random.Next(3) == 0 ? Random.Next(nodes.Count) : home[message.Lane];
        var node = nodes[at];
        if (node.IsFrozen) return;
        if (node.Find(message.Lane) is { } lane) lane.Receive(message);
        else node.Lanes.Add(new SimulatedLane(this, node, message.Lane));
    }

    /// <summary>Redis first, then PostgreSQL, which listens only to who holds the slot.</summary>
    void Confirm(SimulatedReader reader)
    {
        var confirmed = reader.Confirmable;
        Trace($"{reader} confirms {confirmed}");
        if (!Redis.Confirm(reader.Epoch, confirmed)) reader.Leave("may not confirm any more");
        else if (reader == Active) Confirmed = confirmed;
    }

    void RunRequest(LaneRequest request)
    {
        if (request.StepsRun++ > 0) request.Connection.Watched = Redis.Token(request.Connection.Node);
        else if (refusals > 0)
        {
            refusals--;
            request.IsRefused = true;
        }
        else request.Run();
    }

    DateTimeOffset? NextWaking()
    {
        DateTimeOffset? first = null;
        foreach (var reader in readers)
            if (reader.WakesAt is { } at && (first is null || at < first)) first = at;
        foreach (var node in nodes)
            foreach (var writer in node.Writers)
                if (!node.IsFrozen && writer.WaitsUntil is { } at && (first is null || at < first)) first = at;
        return first;
    }
}

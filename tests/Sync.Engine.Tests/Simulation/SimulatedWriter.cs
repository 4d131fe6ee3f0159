using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;
using Sync.Engine.Retry;

namespace Sync.Engine.Tests.Simulation;

/// <summary>What a writer sent. Redis runs it some time later, or never, and its answer comes later still, or never.</summary>
sealed class Request(SimulatedConnection connection, FlightStep step, Func<object?> run)
{
    public SimulatedConnection Connection { get; } = connection;
    public FlightStep Step { get; } = step;
    public Func<object?> Run { get; } = run;
    public object? Reply { get; set; }
    public bool IsRun { get; set; }
}

/// <summary>
/// A writer around the real <see cref="Flight"/>. It does one thing at a time: begin a flight, send, take an answer, open a connection; the scheduler says when.
/// </summary>
sealed class SimulatedWriter(SimulatedNode node, int index, World world)
{
    public const int MostQueued = 3;

    static readonly RetryOptions policy = new();
    static readonly DateTimeOffset time = DateTimeOffset.UnixEpoch;

    readonly Queue<Batch> queue = new();
    readonly List<Batch> underWay = [];
    readonly Flight flight = new(new FlightFilter(["t"]), node.ParkedOf(index), recordsPositions: true, new Position(new Lsn(1), 0));
    readonly string field = LanePositions.WorkerField(node.Workers, index);
    readonly string parkedField = string.Create(CultureInfo.InvariantCulture, $"parked:{node.Workers}:{index}");
    SimulatedConnection? connection, previous;
    Request? request;
    int failures;
    double waitsUntil;

    public bool HasRoom => queue.Count < MostQueued;
    public bool IsIdle => queue.Count == 0 && underWay.Count == 0;
    public bool IsBetweenFlights => underWay.Count == 0;

    public void Queue(Batch batch)
    {
        queue.Enqueue(batch);
        if (queue.Count > MostQueued) world.Redis.Fail("a queue grew beyond its bound");
    }

    public bool CanStep => (request is null ? underWay.Count > 0 || queue.Count > 0 : request.IsRun) && world.Now >= waitsUntil;

    /// <summary>When it goes on, in virtual milliseconds; null when time makes no difference.</summary>
    public double? WaitsUntil => request is null && !IsIdle && world.Now < waitsUntil ? waitsUntil : null;

    public void Step()
    {
        if (request is not null) TakeReply();
        else if (underWay.Count == 0) Begin();
        else if (connection is null) Connect();
        else Send(connection);
    }

    /// <summary>The connection breaks. What Redis has not read yet lies in its buffer.</summary>
    public void Cut()
    {
        if (connection is null) return;
        world.Trace($"{Name} loses its connection{(request is null ? "" : request.IsRun ? ", Redis had run the request" : ", Redis has not read the request yet")}");
        if (request is { IsRun: false } unread) world.Unread.Add(unread);
        Failed(outcomeUnknown: request is not null);
        connection = null;
    }

    /// <summary>Its process is gone.</summary>
    public void Die()
    {
        if (request is { IsRun: false } unread) world.Unread.Add(unread);
    }

    public Request? Unrun => request is { IsRun: false } ? request : null;

    void Failed(bool outcomeUnknown)
    {
        request = null;
        flight.Failed(outcomeUnknown);
        waitsUntil = world.Now + Backoff.Delay(policy, ++failures, world.Random.NextDouble()).TotalMilliseconds;
    }

    void Begin()
    {
        for (int most = world.Random.Next(1, MostQueued + 1); most > 0 && queue.TryDequeue(out var batch); most--) underWay.Add(batch);
        flight.Begin(underWay);
        failures = 0;
    }

    void Connect()
    {
        if (previous is not null && world.Mutation != Mutation.OldConnectionLives) previous.IsKilled = true;
        if (node.Owner != world.Redis.OwnerVersion && world.Mutation != Mutation.NoFence)
        {
            node.Leave($"{Name} finds another owner");
            return;
        }
        previous = connection = new SimulatedConnection(world.Redis.OwnerVersion);
        world.Trace($"{Name} connects");
    }

    void Send(SimulatedConnection current)
    {
        var step = flight.Next(time);
        world.Trace($"{Name}: {step} {SimulatedRedis.Name(flight.Reached)}{(step == FlightStep.Send ? $" with {Describe()}" : "")}");
        var redis = world.Redis;
        var reached = flight.Reached;
        Batch[] batches = [.. flight.Batches];
        DeadLetter[] held = [.. flight.Held], refused = [.. flight.Refused];
        switch (step)
        {
            case FlightStep.Done:
                Release();
                break;
            case FlightStep.Leave:
                node.Leave($"{Name} was refused by the fence");
                break;
            case FlightStep.AskApplied when world.Mutation == Mutation.RepeatWithoutAsking:
                flight.Answered(false);
                break;
            case FlightStep.AskApplied:
                request = new Request(current, step, () => redis.Progress.GetValueOrDefault(field) == reached.ToString());
                break;
            case FlightStep.AskParked:
                request = new Request(current, step, () => redis.Progress.GetValueOrDefault(parkedField) == reached.ToString());
                break;
            case FlightStep.FindRefused:
                request = new Request(current, step, () => redis.FindRefused(batches));
                break;
            case FlightStep.Park:
                request = new Request(current, step, () => redis.ParkRefused(current, refused, parkedField, reached));
                break;
            case FlightStep.Send when world.Mutation == Mutation.ProgressBeforeData:
                redis.Progress[field] = reached.ToString();
                request = new Request(current, step, () => redis.Run(current, batches, held, field, reached));
                break;
            case FlightStep.Send:
                request = new Request(current, step, () => redis.Run(current, batches, held, field, reached));
                break;
        }
    }

    void TakeReply()
    {
        var (step, reply) = (request!.Step, request.Reply);
        request = null;
        switch (reply)
        {
            case null:
                world.Trace($"{Name} is refused for now");
                Failed(outcomeUnknown: false);
                break;
            case FlightResult result:
                world.Trace($"{Name} hears {result.Outcome}{(result.Failures.Count > 0 ? $" with {result.Failures.Count} failures" : "")}");
                flight.Written(result, time);
                break;
            case List<CommandFailure> found:
                flight.Found(found, time);
                break;
            case bool yes when step == FlightStep.Park:
                if (yes) flight.Parked();
                else node.Leave($"{Name} may not park any more");
                break;
            case bool yes:
                world.Trace($"{Name} hears {(yes ? "yes" : "no")}");
                flight.Answered(yes);
                break;
        }
    }

    void Release()
    {
        foreach (var _ in underWay) node.Applied(index);
        underWay.Clear();
    }

    string Name => string.Create(CultureInfo.InvariantCulture, $"{node.Name} writer {index}");

    string Describe() => world.IsTracing
        ? string.Join(", ", flight.Batches.SelectMany(b => b.Entries.ToArray()).Select(e => SimulatedRedis.Name(e.Position)).Concat(flight.Held.Select(l => $"({SimulatedRedis.Name(l.Position)} held)")))
        : "";
}

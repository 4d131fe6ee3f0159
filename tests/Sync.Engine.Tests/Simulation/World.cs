using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Sync.Contracts;
using Sync.Engine.Batching;

namespace Sync.Engine.Tests.Simulation;

/// <param name="Violation">What must never happen and did; null when all held.</param>
/// <param name="Steps">Steps of the schedule.</param>
/// <param name="Applied">Changes in Redis at the end.</param>
/// <param name="Forgotten">Changes whose node died between their refusal inside EXEC and their parking.</param>
/// <param name="Trace">What happened, line by line; empty unless asked for.</param>
sealed record RunResult(string? Violation, int Steps, int Applied, int Forgotten, string Trace);

/// <summary>
/// The scheduler: at each step it draws one of all things that could happen next (a node reads, a writer goes on, Redis runs a request or what was left in
/// the buffer of a dead connection, PostgreSQL is told to forget) until nothing can. Time is virtual and moves only when everybody waits.
/// </summary>
sealed class World : ITraced
{
    const int mostSteps = 20_000;

    [ThreadStatic] static Stack<Batch>? pool;

    readonly List<SimulatedNode> nodes = [];
    readonly List<Batch> rented = [];
    readonly List<(int Kind, SimulatedNode? Node, int Index)> choices = [];
    readonly StringBuilder trace = new();
    int refusals, started, step;

    World(Scenario scenario, Mutation mutation, bool tracing)
    {
        Scenario = scenario;
        Mutation = mutation;
        IsTracing = tracing;
        Random = new Random(scenario.Seed);
        Redis = new SimulatedRedis(scenario, mutation);
    }

    public Scenario Scenario { get; }
    public Mutation Mutation { get; }
    public bool IsTracing { get; }
    public Random Random { get; }
    public SimulatedRedis Redis { get; }

    /// <summary>Requests of dead connections that Redis has received and not read yet.</summary>
    public List<Request> Unread { get; } = [];

    /// <summary>What PostgreSQL was told that it may forget.</summary>
    public Lsn Confirmed { get; private set; }

    /// <summary>Virtual milliseconds.</summary>
    public double Now { get; private set; }

    SimulatedNode Active => nodes[^1];

    public static RunResult Run(Scenario scenario, Mutation mutation = Mutation.None, bool tracing = false)
    {
        var world = new World(scenario, mutation, tracing);
        world.Play();
        foreach (var batch in world.rented)
        {
            batch.Reset();
            (pool ??= new()).Push(batch);
        }
        if (world.Redis.Violation is { } violation) world.Trace($"VIOLATION: {violation}");
        return new RunResult(world.Redis.Violation, world.step, world.Redis.Applied.Count, world.Redis.Forgotten.Count, world.trace.ToString());
    }

    public Batch Rent()
    {
        var batch = pool is { Count: > 0 } ? pool.Pop() : new Batch();
        rented.Add(batch);
        return batch;
    }

    public void Trace([InterpolatedStringHandlerArgument("")] TraceLine line)
    {
        if (IsTracing) trace.Append(CultureInfo.InvariantCulture, $"  {step,4} ").AppendLine(line.ToString());
    }

    void Play()
    {
        Start(Scenario.Workers);
        ToRest();
        // Whoever sleeps wakes up now, with all it had in mind.
        foreach (var node in nodes) node.IsFrozen = false;
        ToRest();
        Redis.CheckComplete(new Lsn(ulong.MaxValue));
        Redis.IsMended = true;
        Trace($"what was refused is mended");
        if (!Active.RetryDeadLetters(int.MaxValue)) Redis.Fail("dead letters stay though nothing refuses them any more");
        if (Redis.Applied.Count + Redis.Forgotten.Count != Redis.Changes) Redis.Fail("at the end not every change is in Redis");
        var end = Scenario.Transactions.Count == 0 ? Lsn.None : Scenario.EndOf(Scenario.Transactions.Count - 1);
        if (Confirmed != end) Redis.Fail($"at rest PostgreSQL keeps the log from {Confirmed} though all up to {end} is done");
    }

    void Start(int workers) => nodes.Add(new SimulatedNode(this, ++started, workers));

    void ToRest()
    {
        for (int fault = 0; Redis.Violation is null; step++)
        {
            if (step == mostSteps)
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
            if (Active.HasLeft) Start(Active.Workers);
        }
    }

    void Choices()
    {
        choices.Clear();
        nodes.RemoveAll(node => node.HasLeft && node != Active);
        foreach (var node in nodes)
        {
            foreach (var writer in node.Writers)
            {
                int index = Array.IndexOf(node.Writers, writer);
                if (writer.Unrun is not null) choices.Add((0, node, index));
                if (!node.IsFrozen && writer.CanStep) choices.Add((1, node, index));
            }
            if (node != Active || node.IsFrozen) continue;
            if (node.CanRead) choices.Add((2, node, 0));
            if (node.CanFlush) choices.Add((3, node, 0));
            if (node.Confirmable > Confirmed) choices.Add((4, node, 0));
        }
        for (int i = 0; i < Unread.Count; i++) choices.Add((5, null, i));
        // Redis may take longer to read what is in a buffer than a writer waits before it connects anew.
        if (Unread.Count > 0 && NextWaking() is not null) choices.Add((6, null, 0));
    }

    void Take((int Kind, SimulatedNode? Node, int Index) choice)
    {
        switch (choice.Kind)
        {
            case 0:
                RunRequest(choice.Node!.Writers[choice.Index].Unrun!);
                break;
            case 1:
                choice.Node!.Writers[choice.Index].Step();
                break;
            case 2:
                choice.Node!.Read();
                break;
            case 3:
                choice.Node!.Flush();
                break;
            case 4:
                Confirmed = choice.Node!.Confirmable;
                Trace($"{choice.Node.Name} confirms {Confirmed}");
                Redis.CheckComplete(Confirmed);
                break;
            case 5:
                var left = Unread[choice.Index];
                Unread.RemoveAt(choice.Index);
                if (left.Connection.IsKilled) break;
                Trace($"Redis runs what a dead connection had sent: {left.Step}");
                RunRequest(left);
                break;
            case 6:
                Now = NextWaking()!.Value;
                break;
        }
    }

    void RunRequest(Request request)
    {
        request.IsRun = true;
        if (refusals > 0) refusals--;
        else request.Reply = request.Run();
    }

    double? NextWaking() => nodes.Where(n => !n.IsFrozen).SelectMany(n => n.Writers).Min(w => w.WaitsUntil);

    void Happen(Fault fault)
    {
        Trace($"FAULT {fault.Kind} {fault.Argument}");
        switch (fault.Kind)
        {
            case FaultKind.CutConnection:
                Active.Writers[fault.Argument % Active.Workers].Cut();
                break;
            case FaultKind.CutConnectionAfterReply:
                var writer = Active.Writers[fault.Argument % Active.Workers];
                if (writer.Unrun is { } request) RunRequest(request);
                writer.Cut();
                break;
            case FaultKind.Refuse:
                refusals = fault.Argument;
                break;
            case FaultKind.CrashNode:
                Active.Die();
                Start(fault.Argument);
                break;
            case FaultKind.RestartRedis:
                // It kept everything; what lay in its buffers is gone, and nobody may trust what they knew of it.
                foreach (var node in nodes) node.Die();
                Unread.Clear();
                Start(fault.Argument);
                break;
            case FaultKind.FreezeAndReplace:
                Active.IsFrozen = true;
                Start(fault.Argument);
                break;
            case FaultKind.Thaw:
                foreach (var node in nodes) node.IsFrozen = false;
                break;
            case FaultKind.RetryDeadLetters:
                // Keys change their type by hand only while nobody has to guess what was refused.
                if (fault.Argument > 2 && Unread.Count == 0 && nodes.TrueForAll(n => n.Writers.All(w => w.IsBetweenFlights))) Redis.IsMended = true;
                Active.RetryDeadLetters(fault.Argument);
                break;
        }
    }
}

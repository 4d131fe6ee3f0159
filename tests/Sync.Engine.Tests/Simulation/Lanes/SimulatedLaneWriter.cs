using System.Globalization;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;
using Sync.Engine.Ordering;
using Sync.Engine.Retry;

namespace Sync.Engine.Tests.Simulation.Lanes;

/// <summary>What a writer sent. Redis runs it some time later, or never; a transaction takes two steps, since something may happen before its token is read.</summary>
sealed class LaneRequest(LaneConnection connection, Action run, bool readsToken)
{
    public LaneConnection Connection => connection;
    public bool ReadsToken => readsToken;
    public int StepsRun { get; set; }
    public bool IsRun => StepsRun == (readsToken ? 2 : 1);

    /// <summary>Whether Redis answered that it can't now.</summary>
    public bool IsRefused { get; set; }
    public void Run() => run();
}

/// <summary>A writer of a node: flights of several lanes in one transaction, each decided by a real <see cref="Flight"/> of its own.</summary>
sealed class SimulatedLaneWriter(LaneWorld world, LaneNode node, int index)
{
    sealed class UnderWay(SimulatedLane lane, LaneFlight flight, Flight course)
    {
        public SimulatedLane Lane => lane;
        public LaneFlight Flight => flight;
        public Flight Course { get; set; } = course;
        public FlightResult? Result { get; set; }
        public bool? IsThere { get; set; }
    }

    static readonly RetryOptions policy = new();
    static readonly DateTimeOffset time = DateTimeOffset.UnixEpoch;
    static readonly FlightFilter filter = new(["t"]);

    readonly Queue<(SimulatedLane Lane, LaneFlight Flight)> queue = new();
    readonly List<UnderWay> underWay = [];
    readonly LaneClaims claims = new();
    readonly HashSet<int> lanesOfNode = [];
    LaneConnection? connection, previous;
    LaneRequest? request;
    Dictionary<int, long>? lanesRead;
    long lastClaimRead;
    int failures;
    DateTimeOffset waitsUntil;
    bool isFenced;

    public void Queue(SimulatedLane lane, LaneFlight flight) => queue.Enqueue((lane, flight));

    public LaneRequest? Unrun => request is { IsRun: false } ? request : null;

    bool IsIdle => queue.Count == 0 && underWay.Count == 0;

    public bool CanStep => (request is null ? !IsIdle : request.IsRun) && world.Now >= waitsUntil;

    public DateTimeOffset? WaitsUntil => request is null && !IsIdle && world.Now < waitsUntil ? waitsUntil : null;

    public void Step()
    {
        if (request is not null) TakeReply();
        else if (connection is null) Connect();
        else if (!claims.IsCurrent(connection.Watched) || isFenced) Check(connection);
        else if (underWay.Count == 0) Begin();
        else Send(connection);
    }

    public void Cut()
    {
        if (connection is null) return;
        world.Trace($"{this} loses its connection");
        Leave();
        Failed(outcomeUnknown: request is not null);
        request = null;
        connection = null;
    }

    /// <summary>Its process is gone, or its connection is: Redis may still read what was sent.</summary>
    public void Leave()
    {
        if (request is { IsRun: false } unread) world.Unread.Add(unread);
    }

    void Failed(bool outcomeUnknown)
    {
        foreach (var flight in underWay) flight.Course.Failed(outcomeUnknown);
        waitsUntil = world.Now + Backoff.Delay(policy, ++failures, world.Random.NextDouble());
    }

    void Connect()
    {
        if (previous is not null) previous.IsKilled = true;
        previous = connection = new LaneConnection(node.Incarnation) { Watched = world.Redis.Token(node.Incarnation) };
        world.Trace($"{this} connects and sees token {connection.Watched}");
    }

    /// <summary>Reads which lanes are still ours, behind the token. A step of its own: somebody may take one in between.</summary>
    void Check(LaneConnection current)
    {
        if (world.Mutation == LaneMutation.LanesBeforeToken)
        {
            if (lanesRead is null)
            {
                (lanesRead, lastClaimRead) = (world.Redis.LanesOf(node.Incarnation), world.Redis.LastClaim);
                return;
            }
            current.Watched = world.Redis.Token(node.Incarnation);
        }
        else (lanesRead, lastClaimRead) = (world.Redis.LanesOf(node.Incarnation), world.Redis.LastClaim);
        isFenced = false;
        claims.Checked(current.Watched, lastClaimRead, lanesRead);
        lanesOfNode.Clear();
        lanesOfNode.UnionWith(lanesRead.Keys);
        world.Trace($"{this} has token {current.Watched} and owns {string.Join(' ', lanesRead.Select(l => $"{l.Key}:{l.Value}"))} of {lastClaimRead} claims");
        lanesRead = null;
        for (int i = underWay.Count - 1; i >= 0; i--)
        {
            if (MayWrite(underWay[i].Lane)) continue;
            underWay[i].Lane.End("is not the owner any more");
            underWay.RemoveAt(i);
        }
    }

    bool MayWrite(SimulatedLane lane) => world.Mutation switch
    {
        LaneMutation.TokenWithoutLanes => true,
        LaneMutation.NodeWithoutClaim => lane.Claim > lastClaimRead || lanesOfNode.Contains(lane.Lane),
        _ => claims.MayWrite(lane.Lane, lane.Claim),
    };

    void Begin()
    {
        failures = 0;
        for (int most = world.Random.Next(1, 4); most > 0 && queue.TryDequeue(out var next); most--)
        {
            if (MayWrite(next.Lane)) underWay.Add(new UnderWay(next.Lane, next.Flight, Begun(next.Lane, next.Flight)));
            else next.Lane.End("is refused by its writer");
        }
    }

    static Flight Begun(SimulatedLane lane, LaneFlight flight)
    {
        var course = new Flight(filter, lane.Parked, recordsPositions: true, flight.Reached);
        course.Begin(flight.Batches);
        return course;
    }

    void Send(LaneConnection current)
    {
        var redis = world.Redis;
        UnderWay[] asks = [.. underWay.Where(f => f.Course.Next(time) == FlightStep.AskApplied)];
        if (asks.Length > 0)
        {
            request = new LaneRequest(current, () =>
            {
                foreach (var ask in asks) ask.IsThere = redis.Positions[ask.Lane.Lane] >= ask.Flight.Reached;
            }, readsToken: false);
            return;
        }
        // What Redis refuses while it runs is the concern of the simulation of one node; here nothing is, so nothing is found.
        foreach (var flight in underWay)
            if (flight.Course.Next(time) == FlightStep.FindRefused) flight.Course.Found([], time);
        for (int i = underWay.Count - 1; i >= 0; i--)
        {
            if (underWay[i].Course.Next(time) != FlightStep.Done) continue;
            var home = underWay[i];
            underWay.RemoveAt(i);
            world.Trace($"{this} brought home {home.Lane} at {SimulatedRedis.Name(home.Flight.Reached)}");
            home.Lane.Home();
        }
        if (underWay.Count == 0) return;
        UnderWay[] flights = [.. underWay];
        LanePart[] parts = [.. flights.Select(f => new LanePart(f.Lane.Lane, [.. f.Course.Batches], [.. f.Course.Held], f.Flight.Reached))];
        world.Trace($"{this} sends {string.Join(", ", flights.Select(f => $"{f.Lane} to {SimulatedRedis.Name(f.Flight.Reached)}"))}");
        request = new LaneRequest(current, () =>
        {
            var results = redis.Run(current, parts);
            for (int i = 0; i < flights.Length; i++) flights[i].Result = results?[i] ?? new FlightResult(FlightOutcome.Fenced, []);
        }, readsToken: true);
    }

    void TakeReply()
    {
        bool isRefused = request!.IsRefused;
        request = null;
        if (isRefused)
        {
            Failed(outcomeUnknown: false);
            return;
        }
        foreach (var flight in underWay)
        {
            var (result, isThere) = (flight.Result, flight.IsThere);
            (flight.Result, flight.IsThere) = (null, null);
            if (isThere is { } there) flight.Course.Answered(there);
            else if (result is { Outcome: FlightOutcome.Fenced }) Refused(flight);
            else if (result is not null) flight.Course.Written(result, time);
        }
        if (world.Mutation == LaneMutation.ForgetsRefusedFlight && isFenced) underWay.Clear();
    }

    /// <summary>Nothing ran. What is still ours begins again, once it is known.</summary>
    void Refused(UnderWay flight)
    {
        world.Trace($"{this} is fenced with {flight.Lane}");
        isFenced = true;
        flight.Course = Begun(flight.Lane, flight.Lane.Again());
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"node {node.Incarnation} writer {index}");
}

/// <summary>A node: a process from its start on, with writers and the lanes it carries.</summary>
sealed class LaneNode
{
    readonly SimulatedLaneWriter[] writers;

    public LaneNode(LaneWorld world, int incarnation)
    {
        Incarnation = incarnation;
        writers = [.. Enumerable.Range(0, world.Scenario.Writers).Select(i => new SimulatedLaneWriter(world, this, i))];
    }

    /// <summary>Another number for each start of a process, from 1.</summary>
    public int Incarnation { get; }
    public bool IsFrozen { get; set; }
    public List<SimulatedLane> Lanes { get; } = [];
    public SimulatedLaneWriter[] Writers => writers;

    public SimulatedLaneWriter WriterOf(int lane) => writers[lane % writers.Length];

    public SimulatedLane? Find(int lane) => Lanes.Find(candidate => candidate.Lane == lane);
}

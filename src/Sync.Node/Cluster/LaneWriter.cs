using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;
using Sync.Engine.Progress;
using Sync.Node.Hosting;
using Sync.Redis.Errors;
using Sync.Redis.Lanes;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <summary>
/// Writes flights of several lanes in one transaction: the data of all of them, then the position of each. So they are all in Redis or none is, and after a lost
/// connection each lane's own field says which. A flight that Redis refuses in part is mended by itself while the others go on.
/// <para>The connection watches this node's token. A flight that is refused because it was raised, and one that may be, is not sent again before it has been read which lanes are
/// still ours; the others are told that they are lost. One call at a time.</para>
/// </summary>
sealed class LaneWriter : ILaneWriter
{
    /// <summary>A flight on its way.</summary>
    sealed class Trip(LaneWork work, FlightCourse? course)
    {
        public LaneWork Work => work;

        /// <summary>Null for rows that are compared.</summary>
        public FlightCourse? Course => course;

        /// <summary>Of rows that are compared: whether an attempt may have brought them home.</summary>
        public bool MayBeHome { get; set; }
        public bool IsLost { get; set; }
    }

    readonly int index;
    readonly WriterContext context;
    readonly LaneStore store;
    readonly LaneClaimBook book;
    readonly LaneClaims claims = new();
    readonly Dictionary<int, (long Claim, ParkedKeys Parked, FlightCourse Course)> courses = [];
    readonly List<Trip> underWay = [], sending = [];
    readonly LaneMender mender;
    readonly List<Batch> batches = [];
    readonly List<ProgressMark> marks = [];
    SinkSession? known;
    bool isStale = true;
    long epoch;

    public LaneWriter(int index, WriterContext context, LaneStore store, LaneClaimBook book)
    {
        (this.index, this.context, this.store, this.book) = (index, context, store, book);
        mender = new LaneMender(context);
        Link = new RedisLink(RedisWriter.NameOf(index), context, null, null, Failed);
    }

    /// <summary>Its connection.</summary>
    public RedisLink Link { get; }

    public bool IsCircuitOpen => Link.IsCircuitOpen;

    public async ValueTask<IReadOnlyList<LaneOutcome>> WriteAsync(IReadOnlyList<LaneWork> work, CancellationToken cancellationToken)
    {
        var trips = new Trip[work.Count];
        for (int i = 0; i < trips.Length; i++)
        {
            trips[i] = new Trip(work[i], work[i].Flight.Batches[0].IsComparison ? null : CourseOf(work[i]));
            trips[i].Course?.Begin(work[i].Flight.Batches);
        }
        underWay.AddRange(trips);
        try
        {
            await Link.WithRetryAsync(AttemptAsync, cancellationToken);
        }
        catch
        {
            // Nobody knows how far they are; should they come again, their lanes' fields tell.
            foreach (var trip in trips) courses.Remove(trip.Work.Lane);
            throw;
        }
        finally
        {
            underWay.Clear();
        }
        foreach (var trip in trips)
        {
            if (trip.IsLost || trip.Course is null) continue;
            trip.Course.ReportParked();
            foreach (var batch in trip.Work.Flight.Batches) context.Count(batch);
        }
        return Array.ConvertAll(trips, trip => trip.IsLost ? LaneOutcome.Lost : LaneOutcome.Home);
    }

    public async ValueTask<DeadLetterOutcome> HandleDeadLettersAsync(int lane, long claim, DeadLetterOrder order, CancellationToken cancellationToken)
    {
        DeadLetterOutcome? outcome = null;
        await Link.WithRetryAsync(async (session, ct) =>
        {
            isStale |= book.IsElsewhere(lane, claim, session.History);
            await EnsureCurrentAsync(session, ct);
            outcome = MayWrite(lane, claim, session)
                ? await new LaneLetters(context, lane, context.Progress.Lanes).RunAsync(session, order, ct)
                : new DeadLetterOutcome(0, 0, []);
        }, cancellationToken);
        return outcome!;
    }

    /// <summary>The course of a lane since it was taken. The first flight may have been tried by a writer before this one.</summary>
    FlightCourse CourseOf(LaneWork work)
    {
        if (courses.TryGetValue(work.Lane, out var known) && known.Claim == work.Claim && ReferenceEquals(known.Parked, work.Parked)) return known.Course;
        string origin = LanePositions.LaneField(work.Lane);
        var course = new FlightCourse(index, context, work.Parked, FlightFields.Of(origin, origin), hasPredecessor: true);
        courses[work.Lane] = (work.Claim, work.Parked, course);
        return course;
    }

    void Failed(RedisTransientException error)
    {
        foreach (var trip in underWay)
        {
            // Redis does not close the connection over what was not sent.
            if (sending.Contains(trip)) trip.Course?.Failed(error);
            else trip.Course?.Flight.Failed(error.OutcomeUnknown);
            trip.MayBeHome |= error.OutcomeUnknown;
        }
    }

    /// <summary>One attempt to bring all of them home; each goes on where the one before was cut off.</summary>
    async ValueTask AttemptAsync(SinkSession session, CancellationToken cancellationToken)
    {
        while (underWay.Count > 0)
        {
            try
            {
                sending.Clear();
                await EnsureCurrentAsync(session, cancellationToken);
                underWay.RemoveAll(trip => IsLost(trip, session));
                await EnsureReaderAsync(session, cancellationToken);
                await CompareAsync(session, cancellationToken);
                for (int i = 0; i < underWay.Count; i++)
                    if (await underWay[i].Course!.HasToBeSentAsync(session, cancellationToken)) sending.Add(underWay[i]);
                if (sending.Count == 0) return;
                Fit();
                await SendAsync(session, cancellationToken);
            }
            catch (RedisFencedException)
            {
                // Nothing was applied. Something was taken from this node; what, is read before anything is sent again.
                isStale = true;
                foreach (var trip in underWay) trip.Course?.Flight.Failed(outcomeUnknown: false);
            }
        }
    }

    /// <summary>
    /// Leaves of what has to be sent as many flights as one transaction can take; the others follow. One over which Redis may close the connection goes
    /// alone.
    /// </summary>
    void Fit()
    {
        if (sending.Count == 1) return;
        if (sending.Find(trip => trip.Course!.Flight.IsSuspect) is { } suspect)
        {
            sending.Clear();
            sending.Add(suspect);
            return;
        }
        long cost = 0;
        int count = 0;
        foreach (var flight in sending.Select(trip => trip.Course!.Flight))
        {
            cost += flight.Cost;
            if (count > 0 && cost > flight.Limits.FlightCost) break;
            count++;
        }
        sending.RemoveRange(count, sending.Count - count);
    }

    /// <summary>Brings home what is compared. What was home already is only taken off.</summary>
    async ValueTask CompareAsync(SinkSession session, CancellationToken cancellationToken)
    {
        var rows = underWay.FindAll(trip => trip.Course is null);
        if (rows.Count == 0) return;
        var open = new List<LaneWork>();
        foreach (var trip in rows)
            if (!trip.MayBeHome || await PositionAsync(session, trip.Work.Lane, cancellationToken) < trip.Work.Flight.Reached) open.Add(trip.Work);
        open.RemoveAll(work => work.Flight.Reached == Position.None);
        if (open.Count > 0) await mender.MendAsync(session, open, cancellationToken);
        underWay.RemoveAll(trip => trip.Course is null);
    }

    ValueTask<Position> PositionAsync(SinkSession session, int lane, CancellationToken cancellationToken) =>
        context.Progress.ReadFieldAsync(session.Connection, System.Text.Encoding.UTF8.GetBytes(LanePositions.LaneField(lane)), cancellationToken);

    async ValueTask EnsureCurrentAsync(SinkSession session, CancellationToken cancellationToken)
    {
        // A lane that was taken from another Redis than this connection knows tells that it may be dead, which nobody notices who writes nothing on it.
        if (!isStale && ReferenceEquals(known, session) && !underWay.Exists(trip => book.IsElsewhere(trip.Work.Lane, trip.Work.Claim, session.History))) return;
        isStale = true;
        known = session;
        epoch = await store.ReadClaimsAsync(session, claims, book.Highest, cancellationToken);
        isStale = false;
    }

    /// <summary>
    /// What a reader sends is for the Redis it has begun with. A master that was replaced goes on taking writes for a while; it does not know the reader that has begun with
    /// the one that replaced it.
    /// </summary>
    async ValueTask EnsureReaderAsync(SinkSession session, CancellationToken cancellationToken)
    {
        if (underWay.TrueForAll(trip => trip.Work.Epoch <= epoch)) return;
        isStale = true;
        await EnsureCurrentAsync(session, cancellationToken);
        underWay.RemoveAll(trip => IsLost(trip, session));
        if (underWay.Exists(trip => trip.Work.Epoch > epoch))
            throw new RedisTransientException($"Redis at {session.Endpoint} is not the one that the reader has begun with.", outcomeUnknown: false) { IsReplica = true };
    }

    bool MayWrite(int lane, long claim, SinkSession session) => claims.MayWrite(lane, claim) && book.Holds(lane, claim, session.History);

    bool IsLost(Trip trip, SinkSession session)
    {
        if (MayWrite(trip.Work.Lane, trip.Work.Claim, session)) return false;
        courses.Remove(trip.Work.Lane);
        return trip.IsLost = true;
    }

    async ValueTask SendAsync(SinkSession session, CancellationToken cancellationToken)
    {
        batches.Clear();
        marks.Clear();
        foreach (var trip in sending)
        {
            batches.AddRange(trip.Course!.ToSend());
            marks.Add(new ProgressMark(trip.Course!.Field, trip.Course.Flight.Reached));
        }
        var result = await session.WriteAsync(batches, context.Keys.ProgressBytes, marks, cancellationToken);
        int first = 0, failure = 0;
        foreach (var trip in sending)
        {
            var course = trip.Course!;
            int count = course.Flight.Batches.Count + (course.Flight.Held.Count > 0 ? 1 : 0), begin = failure;
            while (failure < result.Failures.Count && result.Failures[failure].Batch < first + count) failure++;
            var own = failure == begin && result.Outcome == FlightOutcome.Applied ? FlightResult.AllApplied
                : new FlightResult(result.Outcome, [.. result.Failures.Take(failure).Skip(begin).Select(f => f with { Batch = f.Batch - first })]);
            first += count;
            course.Sent(own, session.Endpoint);
        }
    }

    public ValueTask DisposeAsync() => Link.DisposeAsync();
}

/// <summary>Makes this node's writers.</summary>
sealed class LaneWriterFactory(WriterContext context, LaneStore store, LaneClaimBook book) : ILaneWriterFactory
{
    readonly LaneWriter?[] latest = new LaneWriter?[context.Config.FlushWorkers];

    /// <summary>Writers whose circuit is open.</summary>
    public int OpenCircuits => latest.Count(writer => writer?.IsCircuitOpen ?? false);

    public ILaneWriter Create(int index)
    {
        var writer = new LaneWriter(index, context, store, book);
        // Whatever the one before has sent, Redis does not read it any more once the new connection has ended the old one.
        if (latest[index] is { } before) writer.Link.Replace(before.Link);
        return latest[index] = writer;
    }
}

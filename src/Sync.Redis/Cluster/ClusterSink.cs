using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.Retry;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Redis.Cluster;

/// <summary>
/// Writes the flights of one writer to a Redis Cluster. A flight is split by hash slot; each part goes as <c>MULTI … HSET progress … EXEC</c> to the master that
/// serves it, all at once. Data and position of a slot stand or fall together, so a part whose outcome is unknown is looked up and not guessed. What is done is
/// remembered until the flight is: an attempt that is cut off goes on with the rest. Not thread-safe.
/// </summary>
/// <param name="connections">The writer's own.</param>
/// <param name="recordsPositions">Whether slots record positions; without, a part with an unknown outcome is sent again.</param>
public sealed class ClusterSink(ClusterConnections connections, bool recordsPositions) : IAsyncDisposable
{
    const int MaxRedirections = 16;

    /// <summary>Slots that have the flight, with what they refused of it while they ran it.</summary>
    readonly Dictionary<int, List<CommandFailure>> done = [];

    /// <summary>What Redis would not even queue; the rest of its slot goes without it.</summary>
    readonly List<CommandFailure> refused = [];
    readonly Dictionary<int, HostPort> asks = [];
    (string Field, Position Reached) flying;
    bool inDoubt, isMapStale;

    /// <summary>Writes a flight, or what is missing of it.</summary>
    /// <param name="control">Knows the owner's token.</param>
    /// <param name="flight">The batches. An attempt to go on has the same.</param>
    /// <param name="parks">Whether the last batch parks dead letters. Their hash slot goes first and alone: the positions that the others record say of what was
    /// parked, too, that it was dealt with.</param>
    /// <param name="field">Field of the slots' progress hashes.</param>
    /// <param name="reached">Tells the flight from every other of this field, and is what is recorded.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisTransientException">Not all of it could be written now; never with an unknown outcome, as the next attempt finds out.</exception>
    /// <exception cref="RedisFencedException">Another owner took over, or a master has to be read anew.</exception>
    /// <exception cref="SyncException">Redis denies what is needed.</exception>
    public async ValueTask<FlightResult> WriteAsync(
        SinkSession control, IReadOnlyList<Batch> flight, bool parks, string field, Position reached, CancellationToken cancellationToken)
    {
        if (flying != (field, reached))
        {
            flying = (field, reached);
            done.Clear();
            refused.Clear();
            inDoubt = false;
        }
        // An attempt that failed may have met a master that was replaced.
        if (isMapStale) await connections.View.RefreshAsync(cancellationToken);
        isMapStale = true;
        asks.Clear();
        var groups = SlotGroups.Split(flight);
        if (inDoubt && recordsPositions) await LookUpAsync(control, flight, groups, cancellationToken);
        inDoubt = false;
        for (int round = 0; ; round++)
        {
            var open = groups.Where(g => !done.ContainsKey(g.Key)).ToDictionary();
            if (open.Count == 0) break;
            if (round == MaxRedirections) throw new RedisTransientException("The Redis Cluster keeps redirecting.", outcomeUnknown: false);
            int first = HashSlots.Of(connections.View.Keys.DeadLetters);
            if (parks && open.TryGetValue(first, out var letters)) open = new() { [first] = letters };
            await RoundAsync(control, open, cancellationToken);
        }
        isMapStale = false;
        CommandFailure[] failures = [.. done.Values.SelectMany(f => f).Concat(refused).DistinctBy(f => (f.Batch, f.Entry, f.Command)).OrderBy(f => f.Batch).ThenBy(f => f.Entry).ThenBy(f => f.Command)];
        return failures.Length == 0 ? FlightResult.AllApplied : new FlightResult(FlightOutcome.Applied, failures);
    }

    /// <summary>One exchange with every master that has something to do.</summary>
    async ValueTask RoundAsync(SinkSession control, Dictionary<int, List<SlotCommand>> open, CancellationToken cancellationToken)
    {
        var exchanges = new List<Exchange>();
        foreach (var ofNode in open.GroupBy(g => asks.TryGetValue(g.Key, out var ask) ? ask : connections.View.Map.OwnerOf(g.Key) ?? throw ClusterConnections.Unserved(g.Key)))
            exchanges.Add(new Exchange(ofNode.Key, await connections.ToAsync(ofNode.Key, control, cancellationToken), [.. ofNode.Select(g => PartOf(g.Key, g.Value))]));
        await Task.WhenAll(exchanges.Select(e => RunAsync(e, cancellationToken)));
        Exception? passing = null;
        bool moved = false;
        foreach (var exchange in exchanges)
        {
            if (exchange.Lost is { } lost)
            {
                inDoubt = true;
                await connections.ForgetAsync(exchange.Node);
                passing = new RedisTransientException(lost.Message, outcomeUnknown: false, lost)
                {
                    IsClosed = lost.IsClosed,
                    TooLargeBytes = lost.TooLargeBytes,
                };
                continue;
            }
            int at = 0;
            foreach (var part in exchange.Parts)
            {
                var outcome = Judge(part, exchange.Replies.AsSpan(at, part.Replies), exchange.Connection);
                at += part.Replies;
                if (outcome.Applied is { } failures) done[part.Slot] = failures;
                refused.AddRange(outcome.Refused);
                moved |= outcome.HasMoved;
                passing ??= outcome.Passing;
            }
        }
        if (passing is not null) throw passing;
        if (moved) await connections.View.RefreshAsync(cancellationToken);
    }

    static async Task RunAsync(Exchange exchange, CancellationToken cancellationToken)
    {
        var commands = new RespCommands();
        foreach (var part in exchange.Parts) commands.Append(part.Request);
        try
        {
            exchange.Replies = await exchange.Connection.ExecutePipelineAsync(commands, cancellationToken);
        }
        catch (RedisTransientException e)
        {
            exchange.Lost = e;
        }
    }

    Part PartOf(int slot, List<SlotCommand> all)
    {
        var commands = refused.Count == 0 ? all : all.FindAll(c => !refused.Exists(f => f.Batch == c.Batch && f.Entry == c.Entry && f.Command == c.Command));
        var request = new RespCommands();
        bool isAsked = asks.ContainsKey(slot);
        if (isAsked) request.Add("ASKING");
        request.Add("MULTI");
        foreach (var command in commands) request.AddRaw(command.Bytes.Span, 1);
        if (recordsPositions) request.Add("HSET", connections.View.Keys.ProgressOf(slot), flying.Field, flying.Reached.ToString());
        request.Add("EXEC");
        return new Part(slot, commands, request, isAsked ? 2 : 1, request.Count);
    }

    /// <summary>What became of one part: the replies are those to (ASKING,) MULTI, the commands, the position, and EXEC.</summary>
    Outcome Judge(Part part, ReadOnlySpan<RespValue> replies, RespConnection connection)
    {
        var outcome = new Outcome();
        for (int i = 0; i < replies.Length - 1; i++)
        {
            if (!replies[i].IsError) continue;
            string error = replies[i].ErrorText;
            if (Redirect.Parse(error, ClusterConnections.HostOf(connection)) is { } redirect)
            {
                if (redirect is { IsAsk: true, Target: { } target }) asks[part.Slot] = target;
                else asks.Remove(part.Slot);
                outcome.HasMoved |= !redirect.IsAsk;
                return outcome;
            }
            var kind = RedisErrors.Classify(error);
            int command = i - part.FirstCommand;
            if (kind == FailureClass.Poison && command >= 0 && command < part.Commands.Count) outcome.Refused.Add(Failure(part.Commands[command], error));
            else if (kind == FailureClass.Transient) outcome.Passing ??= RedisErrors.Transient(error, connection.Endpoint);
            else throw RedisErrors.ToException(error, connection.Endpoint, connection.User);
        }
        var exec = replies[^1];
        if (outcome.Passing is not null || outcome.Refused.Count > 0) return outcome;
        if (exec.IsError)
        {
            if (RedisErrors.Classify(exec.ErrorText) == FailureClass.Fatal) throw RedisErrors.ToException(exec.ErrorText, connection.Endpoint, connection.User);
            if (Redirect.Parse(exec.ErrorText, ClusterConnections.HostOf(connection)) is { } late)
            {
                if (late is { IsAsk: true, Target: { } target }) asks[part.Slot] = target;
                outcome.HasMoved = !late.IsAsk;
            }
            else outcome.Passing = RedisErrors.Transient(exec.ErrorText, connection.Endpoint);
            return outcome;
        }
        outcome.Applied = [];
        for (int i = 0; i < part.Commands.Count; i++)
            if (exec.Items[i].IsError) outcome.Applied.Add(Failure(part.Commands[i], exec.Items[i].ErrorText));
        if (recordsPositions && exec.Items[^1].IsError)
            throw new SyncException(ExitCode.RedisUnsuitable,
                $"Redis at {connection.Endpoint} can't record the progress of hash slot {part.Slot} ({RedisErrors.Cause(exec.Items[^1].ErrorText)}); the key '{connections.View.Keys.ProgressOf(part.Slot)}' is in use for something else.");
        return outcome;
    }

    static CommandFailure Failure(SlotCommand command, string error) =>
        new(command.Batch, command.Entry, command.Command, RedisErrors.Cause(error), RedisErrors.Classify(error));

    /// <summary>Behind a lost connection: parts whose slot records the flight are done; what Redis refused of them is found by what the keys hold.</summary>
    async ValueTask LookUpAsync(SinkSession control, IReadOnlyList<Batch> flight, Dictionary<int, List<SlotCommand>> groups, CancellationToken cancellationToken)
    {
        string reached = flying.Reached.ToString();
        foreach (var (slot, commands) in groups)
        {
            if (done.ContainsKey(slot)) continue;
            var ask = new RespCommands().Add("HGET", connections.View.Keys.ProgressOf(slot), flying.Field);
            var connection = await connections.ToSlotAsync(slot, control, cancellationToken);
            string? recorded = (await connections.ExecuteAsync(slot, ask, control, cancellationToken)).OrThrow(connection.Endpoint, connection.User).AsString();
            if (recorded != reached) continue;
            var part = new Batch();
            foreach (var command in commands)
            {
                ref readonly var entry = ref flight[command.Batch].Entries[command.Entry];
                part.Add(0, entry.Position, command.Bytes.Span, 1, flight[command.Batch].Key(entry), entry.Table, entry.Kind, entry.CommitTicks);
            }
            var found = await LostReplies.FindAsync(connection, [part], cancellationToken);
            done[slot] = [.. found.Select(f => f with { Batch = commands[f.Entry].Batch, Entry = commands[f.Entry].Entry, Command = commands[f.Entry].Command })];
        }
    }

    public ValueTask DisposeAsync() => connections.DisposeAsync();

    sealed class Exchange(HostPort node, RespConnection connection, List<Part> parts)
    {
        public HostPort Node => node;
        public RespConnection Connection => connection;
        public List<Part> Parts => parts;
        public RespValue[] Replies { get; set; } = [];
        public RedisTransientException? Lost { get; set; }
    }

    sealed record Part(int Slot, IReadOnlyList<SlotCommand> Commands, RespCommands Request, int FirstCommand, int Replies);

    sealed class Outcome
    {
        public List<CommandFailure>? Applied { get; set; }
        public List<CommandFailure> Refused { get; } = [];
        public bool HasMoved { get; set; }
        public Exception? Passing { get; set; }
    }
}

using Akka.Actor;
using Sync.Actors.Control;
using Sync.Actors.Status;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;
using Sync.Engine.Ordering;
using Sync.Node.Http;

namespace Sync.Node.Cluster;

/// <summary>What operators ask of a node that is a member: how the cluster is, and that something be done in it.</summary>
sealed class ClusterDesk(SyncConfig config, ClusterSystem system, TimeProvider time)
{
    const int shownCommands = 20;
    static readonly TimeSpan patience = TimeSpan.FromSeconds(5), shortPatience = TimeSpan.FromSeconds(6), longestOrder = TimeSpan.FromMinutes(1);

    readonly ClusterControl control = new(system.Control, $"HTTP at {config.Cluster.Address}");
    readonly LaneRouter router = new(config.Cluster.Lanes, 1);

    /// <param name="deadLetters">Dead letters when they were last counted.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<ClusterView> LookAsync(long deadLetters, CancellationToken cancellationToken)
    {
        var asking = AskLanesAsync(cancellationToken);
        var listing = control.ListAsync(cancellationToken);
        var picture = await system.Inspector.LookAsync(cancellationToken);
        var commands = await listing;
        var status = await asking;
        var here = status.Lanes.ToLookup(lane => lane.Node);
        return new ClusterView(
            config.Cluster.Name, config.Postgres.Repl.Slot, picture.Self, picture.Leader, picture.Reader, Epoch(status), picture.Control,
            [.. picture.Members.Select(m => new MemberView(
                m.Address, m.Status, m.IsUnreachable, m.Roles, m.Address == picture.Reader, m.Lanes, here[m.Address].Sum(l => l.RowsWaiting),
                here[m.Address].Sum(l => l.BytesWaiting), LagMs(here[m.Address]), here[m.Address].Count(l => l.CircuitOpen)))],
            picture.LanesKnown, picture.Lease is { } lease ? new LeaseView(lease.Owner, lease.SecondsLeft) : null, picture.LeaseError,
            config.Cluster.Lanes, status.RowsWaiting, status.BytesWaiting, LagMs(status.Lanes), status.CircuitsOpen, status.ParkedKeys, deadLetters, status.Silent,
            commands is null ? null : [.. commands.Reverse().Take(shownCommands).Select(View)]);
    }

    public async Task<LanesView> LanesAsync(CancellationToken cancellationToken)
    {
        var status = await AskLanesAsync(cancellationToken);
        return new LanesView([.. status.Lanes.Select(lane => new LaneView(
            lane.Lane, lane.Node, lane.Epoch, lane.Claim, lane.Position == Position.None ? "" : $"{lane.Position.Commit}/{lane.Position.Step}", lane.RowsWaiting,
            lane.BytesWaiting, LagMs([lane]), lane.CircuitOpen, lane.ParkedKeys))], status.Silent);
    }

    public Task<NodeReply> LeaveAsync(string node, CancellationToken cancellationToken) => ForMemberAsync(
        node, ControlExecutor.LeaveVerb, system.Inspector.LeaveAsync, "is asked to leave", isForControl: _ => false, cancellationToken);

    /// <summary>Also works while the control actor is with the node that is lost.</summary>
    public Task<NodeReply> DownAsync(string node, CancellationToken cancellationToken) => ForMemberAsync(
        node, ControlExecutor.DownVerb, system.Inspector.DownAsync, "is taken out", isForControl: address => address == system.Inspector.Control, cancellationToken);

    public Task<DeadLetterCount> RetryAsync(byte[]? key, bool force, CancellationToken cancellationToken) =>
        DecideAsync(key, DeadLetterAction.Retry, force, [], cancellationToken);

    public async Task<int> DropAsync(string? id, byte[]? key, CancellationToken cancellationToken)
    {
        if (id is not null)
        {
            if (await new RedisDeadLetterReader(config, time).GetAsync(id, cancellationToken) is not { } letter) return 0;
            key = letter.Key.ToArray();
        }
        return (await DecideAsync(key, DeadLetterAction.Drop, false, id is null ? [] : [id], cancellationToken)).Handled;
    }

    Task<DeadLetterCount> DecideAsync(byte[]? key, DeadLetterAction action, bool force, IReadOnlyList<string> ids, CancellationToken cancellationToken) =>
        control.DecideAsync(key is null ? 0 : router.LaneOf(key), key ?? [], action, force, ids, longestOrder, cancellationToken);

    async Task<NodeReply> ForMemberAsync(
        string node, string verb, Func<string, Task> act, string done, Predicate<string> isForControl, CancellationToken cancellationToken)
    {
        if (system.Inspector.Find(node) is not { } address)
            throw new SyncException(ExitCode.Usage, $"'{node}' is no member of the cluster; its members are {string.Join(", ", system.Inspector.Members)}.");
        var outcome = isForControl(address) ? null : await control.RunAsync(verb, address, shortPatience, cancellationToken);
        switch (outcome)
        {
            case null:
                // Members can be told by any node; what is missing is only the entry among the commands.
                await act(address);
                return new NodeReply($"{address} {done}. The control actor could not be asked, so the command is not kept among the last ones.");
            case { Stage: OperatorStage.UnderWay }:
                return new NodeReply($"{verb} {address} was accepted; actorsync cluster status shows how it ends.");
            case { Stage: OperatorStage.Done }:
                return new NodeReply(outcome.Message);
            default:
                throw new SyncException(ExitCode.CheckFailed, outcome.Message);
        }
    }

    async Task<ClusterStatus> AskLanesAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await system.Status.Ask<ClusterStatus>(ClusterStatusQuery.Instance, patience, cancellationToken);
        }
        catch (AskTimeoutException e)
        {
            throw new SyncException(ExitCode.Usage, "The lanes of the cluster did not answer in time; ask again.", e);
        }
    }

    /// <summary>A node that came after the reader had begun hears of it from the lanes.</summary>
    static long Epoch(ClusterStatus status) => Math.Max(status.ReaderEpoch, status.Lanes.Select(lane => lane.Epoch).DefaultIfEmpty().Max());

    static double LagMs(IEnumerable<LaneStatus> lanes) => Math.Round(TimeSpan.FromTicks(lanes.Select(lane => lane.LagTicks).DefaultIfEmpty().Max()).TotalMilliseconds, 1);

    static CommandView View(OperatorOutcome command) => new(
        command.Id, command.Command, command.Argument, command.By, new DateTimeOffset(command.AcceptedTicks, TimeSpan.Zero),
        char.ToLowerInvariant(command.Stage.ToString()[0]) + command.Stage.ToString()[1..], command.Message);
}

namespace Sync.Node.Http;

/// <summary>How a node sees its cluster, as <c>/api/cluster</c> and <c>actorsync cluster status</c> show it.</summary>
/// <param name="Name">Of the cluster.</param>
/// <param name="Slot">The slot that the nodes share.</param>
/// <param name="Self">The node that answers, as host and port of the cluster.</param>
/// <param name="Leader">Who decides about members; null when the nodes that can be reached don't agree.</param>
/// <param name="Reader">Who holds the slot, or takes it now; null without a node that may.</param>
/// <param name="ReaderEpoch">The latest start of a reader that this node or a lane heard of; 0 for none.</param>
/// <param name="Control">Where operators' commands are carried out.</param>
/// <param name="Members">All nodes, the longest there first.</param>
/// <param name="LanesKnown">Whether the nodes said in time which lanes they have; false while the lanes have no coordinator.</param>
/// <param name="Lease">Who holds the lease of the downing; null when nobody does, or none is used.</param>
/// <param name="LeaseError">Why that is not known; null when it is.</param>
/// <param name="Lanes">How many there are.</param>
/// <param name="RowsWaiting">Rows with lanes that are not in Redis yet.</param>
/// <param name="BytesWaiting">Bytes of these rows.</param>
/// <param name="LagMs">Age of the oldest of them, in milliseconds; 0 when there are none.</param>
/// <param name="CircuitsOpen">Lanes that Redis refuses.</param>
/// <param name="ParkedKeys">Ordering keys with dead letters.</param>
/// <param name="DeadLetters">Dead letters when they were last counted.</param>
/// <param name="SilentLanes">Lanes that did not tell in time how they are.</param>
/// <param name="Commands">What operators asked for last, the latest first; null when the control actor did not answer.</param>
public sealed record ClusterView(
    string Name, string Slot, string Self, string? Leader, string? Reader, long ReaderEpoch, string? Control, IReadOnlyList<MemberView> Members, bool LanesKnown,
    LeaseView? Lease, string? LeaseError, int Lanes, long RowsWaiting, long BytesWaiting, double LagMs, int CircuitsOpen, int ParkedKeys, long DeadLetters,
    IReadOnlyList<int> SilentLanes, IReadOnlyList<CommandView>? Commands);

/// <param name="Address">Host and port.</param>
/// <param name="Status">Joining, Up, Leaving, Exiting, Down or Removed.</param>
/// <param name="Unreachable">Whether some node has not heard from it for too long.</param>
/// <param name="Roles">Its roles.</param>
/// <param name="Reads">Whether it holds the slot, or takes it now.</param>
/// <param name="Lanes">The lanes it has, in ascending order.</param>
/// <param name="RowsWaiting">Rows with these lanes that are not in Redis yet.</param>
/// <param name="BytesWaiting">Bytes of these rows.</param>
/// <param name="LagMs">Age of the oldest of them, in milliseconds.</param>
/// <param name="CircuitsOpen">Lanes of it that Redis refuses.</param>
public sealed record MemberView(
    string Address, string Status, bool Unreachable, IReadOnlyList<string> Roles, bool Reads, IReadOnlyList<int> Lanes, long RowsWaiting, long BytesWaiting, double LagMs,
    int CircuitsOpen);

/// <param name="Owner">Host and port of the node that holds it.</param>
/// <param name="SecondsLeft">How long it stays if it is not renewed.</param>
public sealed record LeaseView(string Owner, double SecondsLeft);

/// <summary>Something an operator asked for.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Command">Its verb, such as leave or dlq-retry.</param>
/// <param name="Argument">What it was for, such as a node or an ordering key; empty for all.</param>
/// <param name="By">Where it was given.</param>
/// <param name="At">When it was accepted.</param>
/// <param name="Stage">underWay, done or failed.</param>
/// <param name="Message">How it ended; empty while it is under way.</param>
public sealed record CommandView(string Id, string Command, string Argument, string By, DateTimeOffset At, string Stage, string Message);

/// <summary>All lanes that answered, as <c>/api/cluster/lanes</c> and <c>actorsync cluster lanes</c> show them.</summary>
/// <param name="Lanes">By number.</param>
/// <param name="SilentLanes">Those that did not answer in time; they may be moving.</param>
public sealed record LanesView(IReadOnlyList<LaneView> Lanes, IReadOnlyList<int> SilentLanes);

/// <param name="Lane">Its number.</param>
/// <param name="Node">Where it runs.</param>
/// <param name="Epoch">The highest start of a reader that it has seen; 0 for none.</param>
/// <param name="Claim">Which takeover it is; 0 while it is being taken.</param>
/// <param name="Position">The last row in Redis, as commit LSN and step in the transaction; empty when there is none.</param>
/// <param name="RowsWaiting">Rows not in Redis yet.</param>
/// <param name="BytesWaiting">Bytes of these rows.</param>
/// <param name="LagMs">Age of the oldest of them, in milliseconds.</param>
/// <param name="CircuitOpen">Whether Redis refuses for longer than the retry policy thinks normal.</param>
/// <param name="ParkedKeys">Ordering keys that have dead letters.</param>
public sealed record LaneView(
    int Lane, string Node, long Epoch, long Claim, string Position, long RowsWaiting, long BytesWaiting, double LagMs, bool CircuitOpen, int ParkedKeys);

/// <param name="Node">Host and port of a member; the host alone will do where only one member has it.</param>
public sealed record NodeRequest(string? Node = null);

/// <param name="Message">What was done, as a sentence.</param>
public sealed record NodeReply(string Message);

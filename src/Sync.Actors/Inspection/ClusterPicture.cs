namespace Sync.Actors.Inspection;

/// <summary>How one node sees its cluster.</summary>
/// <param name="Self">This node, as host and port.</param>
/// <param name="Leader">Who decides about members; null when the nodes that can be reached don't agree.</param>
/// <param name="Reader">Who holds the slot, or takes it now; null without a node that may.</param>
/// <param name="Control">Where commands are carried out.</param>
/// <param name="Members">All of them, the longest there first.</param>
/// <param name="LanesKnown">Whether the nodes said in time which lanes they have; false while the lanes have no coordinator.</param>
/// <param name="Lease">Who holds the lease of the downing; null when nobody does, or none is used.</param>
/// <param name="LeaseError">Why that is not known; null when it is.</param>
public sealed record ClusterPicture(
    string Self, string? Leader, string? Reader, string? Control, IReadOnlyList<MemberPicture> Members, bool LanesKnown, LeasePicture? Lease, string? LeaseError);

/// <param name="Address">Host and port.</param>
/// <param name="Status">Joining, Up, Leaving, Exiting, Down or Removed.</param>
/// <param name="IsUnreachable">Whether some node has not heard from it for too long.</param>
/// <param name="Roles">Its roles.</param>
/// <param name="Lanes">The lanes it has, in ascending order.</param>
public sealed record MemberPicture(string Address, string Status, bool IsUnreachable, IReadOnlyList<string> Roles, IReadOnlyList<int> Lanes);

/// <param name="Owner">Host and port of the node that holds it.</param>
/// <param name="SecondsLeft">How long it stays if it is not renewed.</param>
public sealed record LeasePicture(string Owner, double SecondsLeft);

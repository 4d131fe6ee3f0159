using Sync.Contracts;

namespace Sync.Engine.Ordering;

/// <summary>
/// How far each lane is known to be applied. After a restart or a lost connection PostgreSQL sends everything since the confirmed position
/// again; what a lane already holds is recognised here and dropped, so that INCRBY, XADD and LPUSH run once. Within a lane changes are
/// applied in the order of their positions, so one position says it all.
/// </summary>
public sealed class AppliedPositions(int lanes)
{
    readonly Position[] reached = new Position[lanes];

    public int Count => reached.Length;

    public Position this[int lane] => reached[lane];

    /// <summary>Whether the change at <paramref name="position"/> of this lane is in Redis already.</summary>
    public bool Covers(int lane, Position position) => position <= reached[lane];

    /// <summary>Moves a lane forward; never back.</summary>
    public void Raise(int lane, Position position)
    {
        if (position > reached[lane]) reached[lane] = position;
    }
}

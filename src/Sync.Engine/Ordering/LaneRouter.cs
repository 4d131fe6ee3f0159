using Sync.Engine.Mapping;

namespace Sync.Engine.Ordering;

/// <summary>
/// Which lane an ordering key belongs to, and which worker carries a lane. The lane depends on the key alone, so it survives restarts and
/// changes of the worker count; a lane has exactly one worker and a worker sends one flight at a time, so changes of one key can't overtake
/// each other for any number of workers.
/// </summary>
/// <param name="Lanes">1 or more; fixed for the life of a slot.</param>
/// <param name="Workers">1 or more.</param>
public readonly record struct LaneRouter(int Lanes, int Workers)
{
    public int LaneOf(ReadOnlySpan<byte> key) => LaneOf(StableHash.Of(key));

    /// <param name="keyHash"><see cref="StableHash"/> of the key.</param>
    public int LaneOf(ulong keyHash) => (int)(keyHash % (ulong)Lanes);

    public int WorkerOf(int lane) => lane % Workers;
}

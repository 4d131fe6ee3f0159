namespace Sync.Micro.Operations;

/// <summary>A step of a row's way, done for <see cref="Rows"/> rows in memory that is used again and again, as the node does it.</summary>
abstract class Operation
{
    /// <summary>Rows of one run.</summary>
    public const int Rows = 1000;

    /// <summary>Does it once.</summary>
    /// <returns>A sum of what came out, the same for every run.</returns>
    public abstract long Run();
}

namespace Sync.Load.Workloads;

/// <summary>A table, the changes that make the backlog, and what Redis has to hold once they are drained.</summary>
abstract class Workload
{
    public abstract string Name { get; }

    /// <summary>Row changes in the backlog.</summary>
    public abstract int Rows { get; }

    /// <summary>Keys in Redis at the end, apart from those a contestant keeps for itself.</summary>
    public abstract int Keys { get; }

    /// <summary>The publication that <see cref="Schema"/> creates.</summary>
    public abstract string Publication { get; }

    /// <summary>Statements that run before the backlog's slot exists.</summary>
    public abstract IReadOnlyList<string> Schema { get; }

    /// <summary>Statements that make the backlog; each runs outside of a transaction.</summary>
    public abstract IReadOnlyList<string> Changes { get; }

    /// <summary>Rows of a key and the hash it should be, as an array of fields and values; NULL for a key that should not be there.</summary>
    public abstract string Sample { get; }

    /// <summary>The <c>tables:</c> of our node's configuration, a list in YAML.</summary>
    public abstract string Tables { get; }
}

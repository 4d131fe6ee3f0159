namespace Sync.Load.Workloads;

/// <summary>A table, the changes that make the backlog, and what Redis has to hold once they are drained.</summary>
abstract class Workload
{
    /// <summary>All that <see cref="Named"/> knows.</summary>
    public static readonly IReadOnlyList<string> Names = ["users", "wide", "json", "shop"];

    public abstract string Name { get; }

    /// <summary>Row changes in the backlog.</summary>
    public abstract int Rows { get; }

    /// <summary>What our node counts for them: a row that moves to another key ends in one place and begins in another.</summary>
    public virtual int ChangeSets => Rows;

    /// <summary>The publication that <see cref="Schema"/> creates.</summary>
    public abstract string Publication { get; }

    /// <summary>Statements that run before the backlog's slot exists.</summary>
    public abstract IReadOnlyList<string> Schema { get; }

    /// <summary>Statements that make the backlog; each runs outside of a transaction.</summary>
    public abstract IReadOnlyList<string> Changes { get; }

    /// <summary>Asks PostgreSQL how many keys Redis has to hold at the end, apart from those a contestant keeps for itself.</summary>
    public abstract string KeyCount { get; }

    /// <summary>
    /// Asks PostgreSQL for rows of a key and what it should be: an array of fields and values for a hash, an array of one element for a string
    /// that is JSON, NULL for a key that should not be there.
    /// </summary>
    public abstract string Sample { get; }

    /// <summary>The <c>tables:</c> of our node's configuration, a list in YAML.</summary>
    public abstract string Tables { get; }

    /// <summary>The one table whose rows become one key each, for programs that know no mapping; null when the workload has no such table.</summary>
    public virtual SimpleTable? Simple => null;

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="rows">About how many row changes.</param>
    public static Workload Named(string name, int rows) => name switch
    {
        "users" => new UsersWorkload(rows),
        "wide" => new WideWorkload(rows),
        "json" => new JsonWorkload(rows),
        "shop" => new ShopWorkload(rows),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "There is no such workload."),
    };
}

/// <param name="Name">Of the table; its primary key is <c>id</c>, its keys in Redis are <c>user:{id}</c>.</param>
/// <param name="IsJson">Whether the key holds the row as JSON; a hash of its columns otherwise.</param>
sealed record SimpleTable(string Name, bool IsJson);

using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;

namespace Sync.Node.Hosting;

/// <summary>A configured table while the node runs. Belongs to the reader.</summary>
sealed class TableRuntime(int index, TableConfig config, TableSet tables)
{
    public int Index => index;

    public TableConfig Config => config;

    public string Name => config.FullName;

    /// <summary>What to do for its rows; null while nothing can be done for them.</summary>
    public TablePlan? Plan { get; set; }

    /// <summary>What the copy does for its rows where that is not what an insert does; null where it is.</summary>
    public TablePlan? CopyPlan { get; set; }

    /// <summary>What is done for changes that committed before <see cref="Floor"/>, whose rows the copy has brought but not told of; null for nothing.</summary>
    public TablePlan? TellingPlan { get; set; }

    /// <summary>Why there is no plan; empty while there is one.</summary>
    public string Error { get; set; } = "";

    /// <summary>
    /// A row came for which there was no plan. It stays so until the next start, which copies the table anew: what comes later must not be
    /// written on top of what was left out.
    /// </summary>
    public bool IsStopped { get; set; }

    /// <summary>Whether the table was refused when the node connected: it is stopped, and was not added to the publication. The next connection looks at it again.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>Whether a connection of this process has followed it.</summary>
    public bool WasFollowed { get; set; }

    /// <summary>Stops the table before any of its rows was looked at.</summary>
    public void Refuse(string why)
    {
        (Plan, Error) = (null, why);
        IsRefused = IsStopped = true;
        WasFollowed = false;
    }

    /// <summary>Stops the table until the process starts again.</summary>
    public void Stop(string why)
    {
        (Plan, Error) = (null, why);
        (IsRefused, IsStopped) = (false, true);
    }

    /// <summary>Takes the refusal back. A table that a row has stopped stays stopped.</summary>
    public void Accept()
    {
        if (!IsRefused) return;
        Error = "";
        IsRefused = IsStopped = false;
    }

    /// <summary>Why the last copy failed, so that rows are missing; empty when it did not.</summary>
    public string CopyError { get; set; } = "";

    /// <summary>Whether it was told that an old value was needed and not sent.</summary>
    public bool MissedOldValues { get; set; }

    /// <summary>Changes that committed before this are in Redis through the table's copy already.</summary>
    public Lsn Floor { get; set; }

    /// <summary>Rows that asked for nothing or were there already, not yet reported.</summary>
    public long Skipped { get; set; }

    /// <summary>Counts such a row.</summary>
    public void Skip()
    {
        Skipped++;
        tables.HasSkipped = true;
    }
}

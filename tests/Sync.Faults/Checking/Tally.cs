namespace Sync.Faults.Checking;

/// <summary>What a comparison found, with the first examples of each.</summary>
sealed class Tally
{
    const int maxExamples = 12;

    readonly List<string> examples = [];

    /// <summary>Committed changes that Redis does not show.</summary>
    public long Lost { get; private set; }

    /// <summary>Changes that Redis shows more than once.</summary>
    public long Duplicated { get; private set; }

    /// <summary>Changes that come behind a later one of the same key.</summary>
    public long Reordered { get; private set; }

    /// <summary>What no committed change explains: rolled back, or never written by anybody.</summary>
    public long Foreign { get; private set; }

    /// <summary>Keys compared.</summary>
    public long Keys { get; set; }

    /// <summary>Changes that the history holds, and that were therefore expected.</summary>
    public long Changes { get; set; }

    public bool IsClean => Lost == 0 && Duplicated == 0 && Reordered == 0 && Foreign == 0;

    public IReadOnlyList<string> Examples => examples;

    public void AddLost(long count, string example) => Lost += Note(count, "lost", example);

    public void AddDuplicated(long count, string example) => Duplicated += Note(count, "duplicated", example);

    public void AddReordered(long count, string example) => Reordered += Note(count, "reordered", example);

    public void AddForeign(long count, string example) => Foreign += Note(count, "foreign", example);

    long Note(long count, string what, string example)
    {
        if (count > 0 && examples.Count < maxExamples) examples.Add($"{what} {count}: {example}");
        return count;
    }
}

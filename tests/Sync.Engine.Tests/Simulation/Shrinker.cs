namespace Sync.Engine.Tests.Simulation;

/// <summary>A scenario that can be made smaller.</summary>
interface IShrinkable<T>
{
    /// <summary>The same with one thing left out, one after the other.</summary>
    IEnumerable<T> Smaller();

    /// <summary>The same with other choices of the scheduler (0 for its own) and with faults at so many quarters of their step.</summary>
    T Otherwise(int seed, int quarters);
}

/// <summary>Makes a failing scenario small: leaves out faults, transactions and rows for as long as it still fails in some way.</summary>
static class Shrinker
{
    const int mostRuns = 30_000, otherSeeds = 12;

    public static T Shrink<T>(T failing, Predicate<T> fails) where T : class, IShrinkable<T>
    {
        int runs = 0;
        for (bool isSmaller = true; isSmaller;)
        {
            isSmaller = false;
            foreach (var candidate in failing.Smaller())
            {
                if (Failing(candidate, fails, ref runs) is not { } smaller) continue;
                failing = smaller;
                isSmaller = true;
                break;
            }
        }
        return failing;
    }

    /// <summary>
    /// The scenario, also with other choices of the scheduler and with earlier faults: leaving something out shifts all that is drawn behind it, and ends
    /// the schedule sooner. Null when none fails.
    /// </summary>
    static T? Failing<T>(T candidate, Predicate<T> fails, ref int runs) where T : class, IShrinkable<T>
    {
        for (int seed = 0; seed <= otherSeeds; seed++)
            for (int quarters = 4; quarters >= 2 && runs < mostRuns; quarters--, runs++)
            {
                var choice = candidate.Otherwise(seed, quarters);
                if (fails(choice)) return choice;
            }
        return null;
    }

    /// <summary>The transactions without one of them, then without one of their rows.</summary>
    public static IEnumerable<IReadOnlyList<RowOfScenario[]>> Smaller(IReadOnlyList<RowOfScenario[]> of)
    {
        for (int i = of.Count - 1; i >= 0 && of.Count > 1; i--) yield return Without(of, i);
        for (int i = 0; i < of.Count; i++)
            for (int row = 0; of[i].Length > 1 && row < of[i].Length; row++)
            {
                var transactions = of.ToArray();
                transactions[i] = [.. Without(transactions[i], row)];
                yield return transactions;
            }
    }

    public static IReadOnlyList<T> Without<T>(IReadOnlyList<T> all, int index) => [.. all.Where((_, i) => i != index)];
}

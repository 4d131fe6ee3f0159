namespace Sync.Engine.Tests.Simulation;

/// <summary>Makes a failing scenario small: leaves out faults, transactions and rows for as long as it still fails in some way.</summary>
static class Shrinker
{
    const int mostRuns = 30_000, otherSeeds = 12;

    public static Scenario Shrink(Scenario failing, Mutation mutation = Mutation.None)
    {
        int runs = 0;
        for (bool isSmaller = true; isSmaller;)
        {
            isSmaller = false;
            foreach (var candidate in Smaller(failing))
            {
                if (Failing(candidate, mutation, ref runs) is not { } smaller) continue;
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
    static Scenario? Failing(Scenario candidate, Mutation mutation, ref int runs)
    {
        for (int other = 0; other <= otherSeeds; other++)
            for (int quarters = 4; quarters >= 2 && runs < mostRuns; quarters--, runs++)
            {
                var choice = candidate with
                {
                    Seed = other == 0 ? candidate.Seed : other,
                    Faults = [.. candidate.Faults.Select(f => f with { Step = Math.Max(2, f.Step * quarters / 4) })],
                };
                if (World.Run(choice, mutation).Violation is not null) return choice;
            }
        return null;
    }

    static IEnumerable<Scenario> Smaller(Scenario of)
    {
        for (int i = 0; i < of.Faults.Count; i++) yield return of with { Faults = Without(of.Faults, i) };
        for (int i = of.Transactions.Count - 1; i >= 0; i--) yield return of with { Transactions = Without(of.Transactions, i) };
        for (int i = 0; i < of.Transactions.Count; i++)
            for (int row = 0; of.Transactions[i].Length > 1 && row < of.Transactions[i].Length; row++)
            {
                var transactions = of.Transactions.ToArray();
                transactions[i] = [.. Without(transactions[i], row)];
                yield return of with { Transactions = transactions };
            }
        if (of.BlockedKeys.Count > 0) yield return of with { BlockedKeys = new HashSet<int>() };
        if (of.Workers > 1) yield return of with { Workers = of.Workers - 1 };
        for (int i = 0; i < of.Faults.Count; i++)
            if (of.Faults[i].Step > 4) yield return of with { Faults = [.. of.Faults.Select((f, at) => at == i ? f with { Step = f.Step / 2 } : f).OrderBy(f => f.Step)] };
    }

    static IReadOnlyList<T> Without<T>(IReadOnlyList<T> all, int index) => [.. all.Where((_, i) => i != index)];
}

namespace Sync.Engine.Tests.Simulation;

/// <summary>Makes a failing scenario small: leaves out faults, transactions and rows for as long as it still fails in some way.</summary>
static class Shrinker
{
    const int mostRuns = 4000;

    public static Scenario Shrink(Scenario failing, Mutation mutation = Mutation.None)
    {
        int runs = 0;
        while (Smaller(failing).FirstOrDefault(candidate => ++runs <= mostRuns && Fails(candidate, mutation)) is { } smaller) failing = smaller;
        return failing;
    }

    /// <summary>With other choices of the scheduler too, since leaving something out shifts all that are drawn behind it.</summary>
    static bool Fails(Scenario candidate, Mutation mutation) => World.Run(candidate, mutation).Violation is not null;

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
        // The same with other choices, if there is a smaller one among them.
        for (int seed = 1; seed <= 3 && of.Seed < 1_000_000_000; seed++)
            for (int i = of.Transactions.Count - 1; i >= 0; i--)
                yield return of with { Seed = of.Seed + seed, Transactions = Without(of.Transactions, i) };
    }

    static IReadOnlyList<T> Without<T>(IReadOnlyList<T> all, int index) => [.. all.Where((_, i) => i != index)];
}

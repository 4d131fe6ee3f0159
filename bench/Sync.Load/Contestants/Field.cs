using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <summary>Who takes part.</summary>
static class Field
{
    static readonly Contestant[] all =
    [
        new FloorContestant(), new NodeContestant(), new ReceiveContestant(), new PipeContestant(), new PythonContestant(), new NodeJsContestant(), new NotifyContestant(),
    ];

    /// <summary>Those of this workload that were asked for and can run here, with a line for each that can't.</summary>
    public static IReadOnlyList<Contestant> Of(Stage stage, Workload workload, LoadOptions options)
    {
        foreach (string name in options.Contestants ?? [])
            if (Array.TrueForAll(all, c => c.Name != name)) throw LoadOptions.Wrong($"There is no contestant '{name}'; there are {string.Join(", ", all.Select(c => c.Name))}");
        var taking = new List<Contestant>();
        foreach (var contestant in all)
        {
            if (options.Contestants is { } names && !names.Contains(contestant.Name)) continue;
            if (contestant.LeftOut(stage, workload) is { } reason) Console.WriteLine($"  {contestant.Name} is left out: {reason}.");
            else taking.Add(contestant);
        }
        return [.. taking, .. options.Variants.Select(v => new NodeContestant(v))];
    }
}

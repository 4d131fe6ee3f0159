using Sync.Load.Soak;

namespace Sync.Load.Reports;

/// <summary>The minutes of a soak as a Markdown table, row by row as they come.</summary>
static class SoakTable
{
    public const string Head = """
        | minute | resident MB | CPU s |
        |---:|---:|---:|
        """;

    public static string Row(SoakMinute m) => $"| {m.Minute} | {m.ResidentBytes / 1e6:F1} | {m.CpuSeconds:F2} |";

    public static string Sum(SoakResult soak) =>
        $"Last quarter against the second: {soak.Growth:F3}; peak RSS {soak.Minutes[^1].PeakBytes / 1e6:F0} MB; {soak.Node.WarmBytesAllocated:F1} bytes allocated per row in the second half; "
        + $"collections {soak.Node.Gen0}/{soak.Node.Gen1}/{soak.Node.Gen2}; Redis holds {soak.Difference ?? "what it should"}";
}

using System.Diagnostics;
using Sync.Load.Measuring;
using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <param name="Stage">The servers.</param>
/// <param name="Backlog">What is drained.</param>
/// <param name="Slot">The contestant's own slot before the backlog; empty when it reads none.</param>
/// <param name="Folder">Empty, for files of its own.</param>
sealed record Drain(Stage Stage, Backlog Backlog, string Slot, string Folder)
{
    public Workload Workload => Backlog.Workload;
}

/// <summary>
/// A program that moves a backlog. It runs as a process of its own, and once Redis has answered for all rows it prints one line of
/// JSON that begins with a brace, or ends.
/// </summary>
abstract class Contestant
{
    /// <summary>As it stands in the table.</summary>
    public abstract string Name { get; }

    /// <summary>The output plugin of the slot it reads; null when it reads none.</summary>
    public virtual string? Plugin => "pgoutput";

    /// <summary>What of its result is looked at.</summary>
    public virtual ContentCheck Check(Workload workload) => ContentCheck.Values;

    /// <summary>Why it can't take part here; null when it can.</summary>
    public virtual string? LeftOut(Stage stage, Workload workload) => null;

    /// <summary>Whether it is done when it ends, instead of printing a line.</summary>
    public virtual bool EndsByItself => false;

    /// <summary>Makes what it needs before the clock starts.</summary>
    public virtual Task PrepareAsync(Drain drain) => Task.CompletedTask;

    /// <summary>How to start it.</summary>
    public abstract ProcessStartInfo Start(Drain drain);

    /// <summary>What it tells of itself in its line; null when it is not our node.</summary>
    public virtual NodeFigures? Read(string line) => null;

    public virtual Task<DrainResult> MeasureAsync(Stage stage, Backlog backlog) => DrainRun.MeasureAsync(stage, backlog, this);

    /// <summary>A command line whose input and output belong to us.</summary>
    public static ProcessStartInfo CommandLine(string program, params string[] arguments) => new(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };
}

/// <summary>What our node tells of itself at the end of a drain.</summary>
/// <param name="Rows">Change sets applied.</param>
/// <param name="BytesAllocated">By the garbage-collected heap, from the first row to the last.</param>
/// <param name="WarmBytesAllocated">For a row in the second half of the drain.</param>
/// <param name="Gen0">Collections of generation 0 in that time.</param>
/// <param name="Gen1">Of generation 1.</param>
/// <param name="Gen2">Of generation 2.</param>
/// <param name="WarmCpuPerMillion">CPU seconds for a million rows in the second half of the drain, when most of the code is compiled for good.</param>
public sealed record NodeFigures(long Rows, long BytesAllocated, double WarmBytesAllocated, int Gen0, int Gen1, int Gen2, double WarmCpuPerMillion);

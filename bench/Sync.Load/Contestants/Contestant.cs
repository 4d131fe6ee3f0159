using System.Diagnostics;
using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <summary>
/// A program that drains a slot into Redis. It runs as a process of its own, and once Redis has answered for all rows it prints one line of
/// JSON that begins with a brace.
/// </summary>
abstract class Contestant
{
    /// <summary>As it stands in the table.</summary>
    public abstract string Name { get; }

    /// <summary>How to start it on this slot; <paramref name="folder"/> is an empty one for files of its own.</summary>
    public abstract ProcessStartInfo Start(Stage stage, Workload workload, string slot, string folder);

    /// <summary>What it tells of itself in its line; null when it is not our node.</summary>
    public virtual NodeFigures? Read(string line) => null;

    /// <summary>The command line of a program of ours that was built beside this one.</summary>
    protected static ProcessStartInfo Dotnet(string dll, params string[] arguments) => new("dotnet", [dll, .. arguments])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };
}

/// <summary>What our node tells of itself at the end of a drain.</summary>
/// <param name="Rows">Rows applied.</param>
/// <param name="BytesAllocated">By the garbage-collected heap, from the first row to the last.</param>
/// <param name="Gen0">Collections of generation 0 in that time.</param>
/// <param name="Gen1">Of generation 1.</param>
/// <param name="Gen2">Of generation 2.</param>
/// <param name="WarmCpuPerMillion">CPU seconds for a million rows in the second half of the drain, when most of the code is compiled for good.</param>
public sealed record NodeFigures(long Rows, long BytesAllocated, int Gen0, int Gen1, int Gen2, double WarmCpuPerMillion);

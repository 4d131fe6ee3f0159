using Sync.Node.Telemetry;

namespace Sync.Node.Commands;

/// <summary>What stdout is.</summary>
static class Terminal
{
    /// <summary>Whether a person watches: tables, progress and redrawing make sense.</summary>
    public static bool IsInteractive => !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not "dumb";

    /// <summary>As <see cref="IsInteractive"/>, unless colours are not wanted (no-color.org).</summary>
    public static bool HasColours => IsInteractive && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Columns to write in, 40 or more.</summary>
    public static int Width => Math.Max(40, Console.WindowWidth);

    /// <summary>One field of a tab-separated line.</summary>
    public static string Field(string text) => LineLogger.OneLine(text);
}

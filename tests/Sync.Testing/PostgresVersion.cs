using System.Diagnostics;
using System.Globalization;

namespace Sync.Testing;

/// <summary>Which PostgreSQL the tests run on.</summary>
public static class PostgresVersion
{
    static readonly Lazy<int> major = new(() =>
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(PostgresServer.Binaries, "postgres"), "--version") { RedirectStandardOutput = true })!;
        // "postgres (PostgreSQL) 15.18 (Debian …)"
        string version = process.StandardOutput.ReadToEnd().Split(' ')[2];
        process.WaitForExit();
        return int.Parse(version.Split('.', 'b', 'r', '\n')[0], CultureInfo.InvariantCulture);
    });

    /// <summary>Such as 15.</summary>
    public static int Major => major.Value;

    /// <summary>Why a test can't run here; null when it can.</summary>
    /// <param name="since">The first major version that has what the test needs.</param>
    /// <param name="before">The first major version that has it no more.</param>
    public static string? WhyNot(int since, int before) =>
        Major < since ? $"needs PostgreSQL {since}" : Major >= before ? $"needs PostgreSQL {before - 1} or older" : null;
}

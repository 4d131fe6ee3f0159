using System.Diagnostics;

namespace Sync.Node.Demo;

/// <summary>
/// Ends what a demo has started when the demo itself was killed. It is a shell that waits for the end of its input, which comes when the demo's
/// process ends, however that happens. Then it ends every process that
/// works in the demo's folder, as all that the demo starts do, and removes the folder. Linux only: it reads /proc.
/// </summary>
sealed class DemoGuard : IDisposable
{
    // Twice, because a server may have started another process meanwhile.
    const string script = """
        trap '' INT TERM HUP
        cat >/dev/null
        for round in 1 2; do
          for process in /proc/[0-9]*; do
            case "$(readlink "$process/cwd" 2>/dev/null)" in "$1" | "$1"/*) kill -9 "${process#/proc/}" 2>/dev/null ;; esac
          done
          sleep 0.2
        done
        rm -rf "$1"
        """;

    readonly Process? process;

    DemoGuard(Process? process) => this.process = process;

    /// <param name="folder">The working directory of all that the demo starts, or a parent of it.</param>
    public static DemoGuard Start(string folder) => new(!OperatingSystem.IsLinux() ? null
        : Process.Start(new ProcessStartInfo("sh", ["-c", script, "demo-guard", folder]) { RedirectStandardInput = true, WorkingDirectory = "/" }));

    /// <summary>The demo has ended in good order; there is nothing left to end.</summary>
    public void Dispose()
    {
        if (process is null) return;
        process.StandardInput.Close();
        process.Dispose();
    }
}

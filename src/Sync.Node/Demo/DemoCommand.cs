using System.Runtime.InteropServices;
using Sync.Contracts;

namespace Sync.Node.Demo;

/// <summary><c>actorsync demo</c>: the product at work on a small shop, on private servers that leave nothing behind.</summary>
public static class DemoCommand
{
    /// <summary>
    /// Runs until done, Ctrl-C, SIGTERM or SIGHUP, and cleans up in every case. Returns the exit code: 0, or 1 when a check found
    /// a difference or was interrupted.
    /// </summary>
    /// <exception cref="SyncException">A program is missing, did not come up or died.</exception>
    public static async Task<int> RunAsync(DemoOptions options, CancellationToken ct)
    {
        if (options.Seconds is < 1 or > 3600) throw new SyncException(ExitCode.Usage, "--seconds takes 1 to 3600.");
        if (options.Rate is <= 0 or > 200) throw new SyncException(ExitCode.Usage, "--rate takes more than 0 and at most 200 changes a second.");
        if (options.Nodes is < 2 or > 5) throw new SyncException(ExitCode.Usage, "--cluster takes 2 to 5 nodes.");
        if (options is { Nodes: not null, Seconds: < 10 }) throw new SyncException(ExitCode.Usage, "--seconds takes 10 or more with --cluster.");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        // Handled here for as long as the demo runs: the default would end this process and leave its children.
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        try
        {
            await using var stage = await DemoStage.StartAsync(options, Console.WriteLine, stop.Token);
            return await stage.GuardAsync(token =>
                options.Nodes is not null ? new ClusterShow(stage, options).RunAsync(token)
                : options.Check ? new DemoCheck(stage, options).RunAsync(token)
                : new DemoShow(stage, options).RunAsync(token), stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Console.WriteLine(options.Check ? "Interrupted before the check was done." : "Stopped; nothing is left behind.");
            return options.Check ? (int)ExitCode.CheckFailed : (int)ExitCode.Ok;
        }
    }
}

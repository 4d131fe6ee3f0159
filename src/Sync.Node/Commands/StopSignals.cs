using System.Runtime.InteropServices;

namespace Sync.Node.Commands;

/// <summary>
/// Ctrl-C, SIGTERM and SIGHUP ask for a graceful stop; the second one ends the process at once, which loses nothing: what was not
/// confirmed to PostgreSQL comes again.
/// </summary>
sealed class StopSignals : IDisposable
{
    readonly CancellationTokenSource stop = new();
    readonly PosixSignalRegistration[] registrations;
    int received;

    public StopSignals() => registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Handle(context, 2)),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Handle(context, 15)),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => Handle(context, 1)),
    ];

    public CancellationToken Token => stop.Token;

    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
        stop.Dispose();
    }

    void Handle(PosixSignalContext context, int number)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref received) > 1) Environment.Exit(128 + number);
        // Not here: whoever waits for the token would run on the thread that has to take the second signal.
        _ = stop.CancelAsync();
    }
}

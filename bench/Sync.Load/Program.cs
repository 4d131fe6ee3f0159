using System.Runtime.InteropServices;
using Sync.Contracts;
using Sync.Load;
using Sync.Load.Hosting;
using Sync.Load.Latency;

bool exiting = false;

// One executable, several roles: the measuring program, the node it measures, and whatever else has to be a process of its own.
try
{
    // .NET 10 leaves these signals to the program; without an orderly exit the servers would outlive it.
    using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Exit);
    using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Exit);
    using var hungUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Exit);
    if (args is [NodeChild.Command, ..]) return await NodeChild.RunAsync(args[1..]);
    if (args is [BusyCore.Command]) return BusyCore.Spin();
    if (args is ["--help" or "-h", ..])
    {
        Console.WriteLine(LoadOptions.Help);
        return (int)ExitCode.Ok;
    }
    return await LoadProgram.RunAsync(LoadOptions.Parse(args));
}
catch (Exception) when (Volatile.Read(ref exiting))
{
    // The servers go down under whatever was going on; the exit that stops them must not be overtaken by its complaints.
    await Task.Delay(Timeout.Infinite);
    throw;
}
catch (SyncException e)
{
    Console.Error.WriteLine(e.Message);
    return (int)e.Code;
}

void Exit(PosixSignalContext signal)
{
    signal.Cancel = true;
    Volatile.Write(ref exiting, true);
    // Not on this thread: the exit waits for signal handlers to return.
    new Thread(() => Environment.Exit((int)ExitCode.Internal)).Start();
}

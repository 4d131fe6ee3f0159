using Sync.Contracts;
using Sync.Load;
using Sync.Load.Hosting;

// One executable, two roles: the measuring program, and the node it measures in a process of its own.
try
{
    if (args is [NodeChild.Command, ..]) return await NodeChild.RunAsync(args[1..]);
    if (args is ["--help" or "-h", ..])
    {
        Console.WriteLine(LoadOptions.Help);
        return (int)ExitCode.Ok;
    }
    return await LoadProgram.RunAsync(LoadOptions.Parse(args));
}
catch (SyncException e)
{
    Console.Error.WriteLine(e.Message);
    return (int)e.Code;
}

using System.Runtime.InteropServices;
using Sync.Faults;
using Sync.Faults.Injecting;
using Sync.Faults.Scenarios;
using Sync.Faults.Servers;

if (args is [ClockNode.Verb, var configFile, var clockFile]) return await ClockNode.RunAsync(configFile, clockFile);

FaultOptions options;
try
{
    options = FaultOptions.Parse(args);
}
catch (ArgumentException e)
{
    Console.Error.WriteLine($"{e.Message}\n\n{FaultOptions.Help}");
    return 2;
}

using var interrupted = new CancellationTokenSource();
void Interrupt(PosixSignalContext context)
{
    context.Cancel = true;
    interrupted.Cancel();
}
using var onInt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using var onTerm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);

int passed = 0, failed = 0;
foreach (string scenario in options.Scenarios)
{
    string folder = Path.GetFullPath(Path.Combine("artifacts", "faults", $"{scenario}-{options.Seed}-{Environment.ProcessId}"));
    bool good;
    try
    {
        good = scenario switch
        {
            "plan" => PrintPlan(),
            "self-test" => await new SelfTest(options, folder).RunAsync(interrupted.Token),
            "takeover" when options.Cluster > 0 => await new ClusterTakeover(options, folder).RunAsync(interrupted.Token),
            "rolling" => await new RollingRestart(options, folder).RunAsync(interrupted.Token),
            "takeover" => await new Takeover(folder).RunAsync(interrupted.Token),
            "history" => await new HistoryRun(options, folder).RunAsync(interrupted.Token),
            "outage" => await new Outage(options, folder).RunAsync(interrupted.Token),
            _ => await new FaultRun(options, folder).RunAsync(interrupted.Token),
        };
    }
    catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
    {
        Console.Error.WriteLine("Interrupted; everything was ended.");
        return 130;
    }
    catch (Exception e) when (!interrupted.IsCancellationRequested)
    {
        Console.WriteLine($"{scenario}: {e}");
        good = false;
    }
    if (good) passed++;
    else failed++;
    if (good && Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    else if (!good) Console.WriteLine($"{scenario}: FAILED with seed {options.Seed}; logs and configurations are in {folder}");
}
Console.WriteLine($"{passed} passed, {failed} failed");
return failed == 0 ? 0 : 1;

bool PrintPlan()
{
    foreach (var fault in FaultPlan.Draw(options.Seed, options.Only, options.Cluster > 0).Take(40)) Console.WriteLine(fault);
    return true;
}

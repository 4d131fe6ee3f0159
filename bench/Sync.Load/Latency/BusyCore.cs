using System.Diagnostics;

namespace Sync.Load.Latency;

/// <summary>A process that spins until it is disposed of, or until this program is gone.</summary>
sealed class BusyCore : IDisposable
{
    /// <summary>The first argument that makes this program that process.</summary>
    public const string Command = "spin";

    readonly Process process = Process.Start(new ProcessStartInfo("dotnet", [typeof(BusyCore).Assembly.Location, Command]) { RedirectStandardInput = true })!;

    /// <summary>What that process does.</summary>
    public static int Spin()
    {
        bool closed = false;
        new Thread(() =>
        {
            Console.In.ReadToEnd();
            Volatile.Write(ref closed, true);
        }).Start();
        while (!Volatile.Read(ref closed)) { }
        return 0;
    }

    public void Dispose()
    {
        process.StandardInput.Close();
        process.WaitForExit();
        process.Dispose();
    }
}

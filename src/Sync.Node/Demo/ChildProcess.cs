using System.Diagnostics;
using System.Runtime.InteropServices;
using Sync.Contracts;

namespace Sync.Node.Demo;

/// <summary>A program the demo started and has to end again. Its output goes to a log file, the last lines are kept for errors.</summary>
sealed partial class ChildProcess : IAsyncDisposable
{
    const int TailLines = 15;
    readonly Process process;
    readonly StreamWriter log;
    readonly Queue<string> tail = new();
    readonly Signal stopSignal;
    readonly TimeSpan patience;

    /// <summary>What ends it in good order: PostgreSQL calls Quit an immediate shutdown, which suits a server thrown away.</summary>
    public enum Signal { Quit = 3, Terminate = 15 }

    ChildProcess(string name, Process process, StreamWriter log, Signal stopSignal, TimeSpan patience)
    {
        Name = name;
        this.process = process;
        this.log = log;
        this.stopSignal = stopSignal;
        this.patience = patience;
    }

    public string Name { get; }

    public bool HasExited => process.HasExited;

    public string LogFile { get; private init; } = "";

    /// <summary>Ends when the program does.</summary>
    public Task Exited { get; private set; } = Task.CompletedTask;

    /// <summary>
    /// Starts a program. Variables that would set up PostgreSQL clients or ActorSync itself are not passed on: what the user
    /// has in the environment for a real database must not reach the demo.
    /// </summary>
    /// <exception cref="SyncException">There is no such program.</exception>
    public static ChildProcess Start(
        string name, IReadOnlyList<string> command, string logFile, IReadOnlyDictionary<string, string>? environment = null,
        Signal stopSignal = Signal.Terminate, TimeSpan? patience = null)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(logFile)!,
        };
        foreach (string variable in start.Environment.Keys.Where(IsForeign).ToList()) start.Environment.Remove(variable);
        foreach (var (variable, value) in environment ?? new Dictionary<string, string>()) start.Environment[variable] = value;
        Process process;
        try { process = Process.Start(start)!; }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new SyncException(ExitCode.Internal, $"The demo can't start '{command[0]}' ({e.Message}); install it, or put it on the PATH.", e);
        }
        process.StandardInput.Close();
        var child = new ChildProcess(name, process, new StreamWriter(logFile) { AutoFlush = true }, stopSignal, patience ?? TimeSpan.FromSeconds(5)) { LogFile = logFile };
        process.OutputDataReceived += (_, line) => child.Note(line.Data);
        process.ErrorDataReceived += (_, line) => child.Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        child.Exited = process.WaitForExitAsync();
        return child;
    }

    /// <summary>Runs a program to its end and returns what it printed.</summary>
    /// <exception cref="SyncException">It is missing or fails.</exception>
    public static async Task<string> RunAsync(string name, IReadOnlyList<string> command, string folder, CancellationToken ct)
    {
        await using var child = Start(name, command, Path.Combine(folder, name + ".log"));
        await child.Exited.WaitAsync(ct);
        if (child.process.ExitCode != 0) throw child.Failure();
        return child.Tail;
    }

    /// <summary>The error to throw when it ended though it was needed.</summary>
    public SyncException Failure() =>
        new(ExitCode.Internal, $"{Name} ended with exit code {(process.HasExited ? process.ExitCode : 0)}. Its last lines:{Environment.NewLine}{Tail}");

    public string Tail
    {
        get { lock (tail) return string.Join(Environment.NewLine, tail); }
    }

    /// <summary>Ends it at once, as a crash does (SIGKILL).</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            Send(process.Id, (int)stopSignal);
            try { await process.WaitForExitAsync(new CancellationTokenSource(patience).Token); }
            catch (OperationCanceledException)
            {
                process.Kill();
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }
        lock (tail) log.Dispose();
        process.Dispose();
    }

    static bool IsForeign(string variable) =>
        variable.StartsWith("ACTORSYNC_", StringComparison.Ordinal) || variable.StartsWith("PG", StringComparison.Ordinal) || variable == "ENV_FILE";

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Send(int processId, int signal);

    void Note(string? line)
    {
        if (line is null) return;
        lock (tail)
        {
            if (log.BaseStream is { CanWrite: true }) log.WriteLine(line);
            tail.Enqueue(line);
            if (tail.Count > TailLines) tail.Dequeue();
        }
    }
}

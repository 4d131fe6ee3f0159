using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <param name="Code">Exit code.</param>
/// <param name="Out">Everything on stdout.</param>
/// <param name="Error">Everything on stderr.</param>
public sealed record Ended(int Code, string Out, string Error)
{
    /// <summary>Checks for one sentence on stderr, and nothing but it.</summary>
    public void ShouldSay(Contracts.ExitCode code, params string[] parts)
    {
        Code.ShouldBe((int)code, $"stdout: {Out}\nstderr: {Error}");
        string line = Error.TrimEnd('\n');
        line.ShouldStartWith("actorsync: ");
        line.ShouldNotContain("\n");
        line.ShouldNotContain("Exception");
        foreach (string part in parts) line.ShouldContain(part);
    }
}

/// <summary>The built program in a process of its own, in a folder of its own, without the variables of whoever runs the tests.</summary>
public sealed class Program : IDisposable
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(60);

    readonly Process process;
    readonly StringBuilder output = new(), error = new();

    Program(Process process)
    {
        this.process = process;
        process.OutputDataReceived += (_, line) => Note(output, line.Data);
        process.ErrorDataReceived += (_, line) => Note(error, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public string Out => Text(output);
    public string Error => Text(error);
    public bool HasEnded => process.HasExited;
    public int Id => process.Id;

    public static Program Start(Sandbox folder, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "actorsync.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = folder.Path,
        };
        foreach (string name in start.Environment.Keys.Where(n => n.StartsWith("ACTORSYNC_") || n.StartsWith("PG2REDIS_") || n.StartsWith("PG") || n.StartsWith("OTEL_")).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return new Program(process);
    }

    /// <summary>Runs it to its end.</summary>
    public static async Task<Ended> RunAsync(Sandbox folder, IReadOnlyDictionary<string, string>? environment, params string[] arguments)
    {
        using var program = Start(folder, environment, arguments);
        return await program.EndAsync();
    }

    public static Task<Ended> RunAsync(Sandbox folder, params string[] arguments) => RunAsync(folder, null, arguments);

    /// <summary>Waits for its end.</summary>
    public async Task<Ended> EndAsync()
    {
        using var limit = new CancellationTokenSource(patience);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TimeoutException($"actorsync did not end.\nstdout: {Out}\nstderr: {Error}");
        }
        return new Ended(process.ExitCode, Out, Error);
    }

    /// <summary>Waits until it has printed something.</summary>
    public async Task SaysAsync(string text)
    {
        var watch = Stopwatch.StartNew();
        while (!Out.Contains(text, StringComparison.Ordinal) && !Error.Contains(text, StringComparison.Ordinal))
        {
            if (watch.Elapsed > patience || (HasEnded && (await EndAsync()).Out is { } all && !all.Contains(text, StringComparison.Ordinal)))
                throw new TimeoutException($"actorsync did not say '{text}'.\nstdout: {Out}\nstderr: {Error}");
            await Task.Delay(20);
        }
    }

    public void Signal(PosixSignal signal) => _ = Send(process.Id, signal == PosixSignal.SIGINT ? 2 : 15);

    public void Dispose()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.Dispose();
    }

    static void Note(StringBuilder text, string? line)
    {
        if (line is null) return;
        lock (text) text.Append(line).Append('\n');
    }

    static string Text(StringBuilder text)
    {
        lock (text) return text.ToString();
    }

    [DllImport("libc", EntryPoint = "kill")]
    static extern int Send(int pid, int signal);
}

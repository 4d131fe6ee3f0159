using System.Diagnostics;
using System.Text;
using Sync.Contracts;

namespace Sync.Load.Contestants;

/// <summary>A contestant's process with what it says. Killed when it is disposed of before it has ended.</summary>
sealed class ContestantProcess : IDisposable
{
    readonly Process process;
    readonly StringBuilder errors = new();

    ContestantProcess(Process process)
    {
        this.process = process;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (errors) errors.AppendLine(line.Data);
        };
        process.BeginErrorReadLine();
    }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    public static ContestantProcess Start(ProcessStartInfo info) => new(Process.Start(info)!);

    /// <summary>Waits until it has ended without an error, and gives what it wrote.</summary>
    public async Task<string> FinishAsync(CancellationToken cancellationToken)
    {
        string output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode == 0 ? output : throw Failed();
    }

    /// <summary>The line that ends a drain.</summary>
    public async Task<string> FinishLineAsync(CancellationToken cancellationToken)
    {
        while (await process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
            if (line.StartsWith('{')) return line;
        await process.WaitForExitAsync(cancellationToken);
        throw Failed();
    }

    /// <summary>Asks it to end by closing its standard input, and waits until it has.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0) throw Failed();
    }

    public Exception Failed()
    {
        lock (errors) return new SyncException(ExitCode.Internal, $"The contestant ended with code {process.ExitCode}:\n{errors}");
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill();
        process.Dispose();
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Sync.Testing;

namespace Sync.Faults.Servers;

/// <summary>
/// A Redis that keeps what it acknowledged: an append-only file, written before every answer. It can be killed, frozen, and left without room: a limit on
/// the size of files makes its writes fail as those to a full disk do (EFBIG instead of ENOSPC, the same path through Redis), and needs neither a file
/// system of its own nor special rights.
/// </summary>
sealed class RedisProcess : IAsyncDisposable
{
    static readonly TimeSpan startDeadline = TimeSpan.FromSeconds(60);

    readonly Sandbox sandbox = new();
    readonly string logFile;
    Process? process;

    RedisProcess(string logFile) => this.logFile = logFile;

    public int Port { get; } = Ports.Free();

    public int Pid => process?.Id ?? 0;

    public static async Task<RedisProcess> StartAsync(string logFile)
    {
        var redis = new RedisProcess(logFile);
        await redis.StartAgainAsync();
        return redis;
    }

    /// <summary>Starts it on the same port and folder, and waits until all is loaded.</summary>
    public async Task StartAgainAsync()
    {
        if (await TryStartAsync()) return;
        await MendFileAsync();
        if (!await TryStartAsync()) throw new InvalidOperationException($"redis-server ended at once; see {logFile}.");
    }

    /// <summary>
    /// Redis 7.0 spoils its file when a write to it falls short and a rewrite came before: it cuts the file at the length of all of its parts, so
    /// that zeros stand at its end, and does not start
    /// ("Bad file format"). What an operator does then; nothing that was acknowledged stands behind the zeros.
    /// </summary>
    async Task MendFileAsync()
    {
        string manifest = Directory.GetFiles(Path.Combine(sandbox.Path, "appendonlydir"), "*.manifest").Single();
        using var tool = Process.Start(new ProcessStartInfo("redis-check-aof", ["--fix", manifest]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        await tool.StandardInput.WriteLineAsync("y");
        tool.StandardInput.Close();
        await tool.StandardOutput.ReadToEndAsync();
        await tool.WaitForExitAsync();
    }

    /// <summary>Has the file written anew: one that a short write has spoilt, while Redis lived on, would not be read at the next start.</summary>
    public async Task RewriteFileAsync()
    {
        await ExecAsync("BGREWRITEAOF");
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < startDeadline && await InfoAsync("aof_rewrite_in_progress") + await InfoAsync("aof_rewrite_scheduled") != "00";) await Task.Delay(20);
    }

    /// <returns>False when it ended at once.</returns>
    async Task<bool> TryStartAsync()
    {
        // A process that exceeds the limit gets SIGXFSZ, which would kill it; ignored, its write fails with EFBIG instead.
        var start = new ProcessStartInfo("sh") { WorkingDirectory = sandbox.Path };
        string[] arguments =
        [
            "-c", "trap '' XFSZ; exec redis-server \"$@\"", "sh", "--port", $"{Port}", "--bind", "127.0.0.1", "--dir", sandbox.Path, "--save", "",
            "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--daemonize", "no", "--logfile", logFile, "--enable-debug-command", "local",
        ];
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        process = Process.Start(start) ?? throw new InvalidOperationException("redis-server did not start.");
        var watch = Stopwatch.StartNew();
        while (true)
        {
            if (process.HasExited) return false;
            try
            {
                await ExecAsync("PING");
                return true;
            }
            catch (Exception e) when (e is SocketException or IOException or TestRedisException) { /* It is starting, or loading. */ }
            if (watch.Elapsed > startDeadline) throw new InvalidOperationException($"redis-server did not answer in time; see {logFile}.");
            await Task.Delay(20);
        }
    }

    public async Task<object?> ExecAsync(params string[] arguments)
    {
        using var client = await TestRedis.ConnectAsync(Port);
        return await client.CommandAsync(arguments);
    }

    public Task<TestRedis> ClientAsync() => TestRedis.ConnectAsync(Port);

    public async Task<string> InfoAsync(string field)
    {
        string info = (string)(await ExecAsync("INFO"))!;
        return info.Split("\r\n").FirstOrDefault(l => l.StartsWith(field + ":", StringComparison.Ordinal))?[(field.Length + 1)..] ?? "";
    }

    public async Task KillAsync()
    {
        if (process is not { } running) return;
        Posix.Signal(running.Id, Posix.Sigkill);
        await WaitForEndAsync();
    }

    /// <summary>Waits until the process has ended by itself; false after <paramref name="deadline"/>.</summary>
    public async Task<bool> WaitForEndAsync(TimeSpan? deadline = null)
    {
        if (process is not { } running) return true;
        using var limit = new CancellationTokenSource(deadline ?? startDeadline);
        try { await running.WaitForExitAsync(limit.Token); }
        catch (OperationCanceledException) { return false; }
        process = null;
        running.Dispose();
        return true;
    }

    public void Freeze() => Posix.Signal(Pid, Posix.Sigstop);

    public void Thaw() => Posix.Signal(Pid, Posix.Sigcont);

    /// <summary>From here on no file may become larger than the current append-only file and a little more.</summary>
    public async Task FillDiskAsync()
    {
        var current = new DirectoryInfo(Path.Combine(sandbox.Path, "appendonlydir")).EnumerateFiles("*.incr.aof").MaxBy(f => f.LastWriteTimeUtc);
        await LimitFilesAsync(((current?.Length ?? 0) + 4096).ToString(CultureInfo.InvariantCulture));
    }

    public Task EmptyDiskAsync() => LimitFilesAsync("unlimited");

    async Task LimitFilesAsync(string bytes)
    {
        using var tool = Process.Start(new ProcessStartInfo("prlimit", ["--pid", $"{Pid}", $"--fsize={bytes}:unlimited"]))!;
        await tool.WaitForExitAsync();
        if (tool.ExitCode != 0) throw new InvalidOperationException("prlimit can't limit the size of files.");
    }

    public async ValueTask DisposeAsync()
    {
        if (process is not null) await KillAsync();
        sandbox.Dispose();
    }
}

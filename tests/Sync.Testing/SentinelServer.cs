using System.Diagnostics;
using System.Net.Sockets;

namespace Sync.Testing;

/// <summary>A Redis Sentinel of one's own: temporary folder, free loopback port, gone with <see cref="Dispose"/>.</summary>
public sealed class SentinelServer : IDisposable
{
    static readonly TimeSpan deadline = TimeSpan.FromSeconds(60);

    readonly Sandbox sandbox = new();
    readonly EventHandler killAtExit;
    readonly string? password;
    Process? process;

    SentinelServer(string? password)
    {
        this.password = password;
        killAtExit = (_, _) => Kill();
        AppDomain.CurrentDomain.ProcessExit += killAtExit;
    }

    public int Port { get; } = Ports.Free();

    /// <summary>Starts one that watches a master, and waits until it answers.</summary>
    /// <param name="masterName">The name it knows the master by.</param>
    /// <param name="masterPort">The master, on the loopback address.</param>
    /// <param name="quorum">How many Sentinels have to agree that a master is down.</param>
    /// <param name="password">Asked of clients; null for none.</param>
    public static async Task<SentinelServer> StartAsync(string masterName, int masterPort, int quorum = 1, string? password = null)
    {
        var server = new SentinelServer(password);
        try
        {
            string file = server.sandbox.File("sentinel.conf");
            string[] lines =
            [
                $"port {server.Port}", "bind 127.0.0.1", $"dir {server.sandbox.Path}",
                $"sentinel monitor {masterName} 127.0.0.1 {masterPort} {quorum}",
                $"sentinel down-after-milliseconds {masterName} 3000",
                $"sentinel failover-timeout {masterName} 10000",
                .. password is null ? Array.Empty<string>() : [$"requirepass {password}"],
            ];
            await File.WriteAllLinesAsync(file, lines);
            var start = new ProcessStartInfo(RedisServer.Program) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = server.sandbox.Path };
            start.ArgumentList.Add(file);
            start.ArgumentList.Add("--sentinel");
            server.process = Process.Start(start) ?? throw new InvalidOperationException("redis-server did not start.");
            server.process.OutputDataReceived += (_, _) => { };
            server.process.ErrorDataReceived += (_, _) => { };
            server.process.BeginOutputReadLine();
            server.process.BeginErrorReadLine();
            await server.UntilAsync(async () => (string?)await server.ExecAsync("PING") == "PONG", "the Sentinel should answer");
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>Runs one command on a connection of its own.</summary>
    public async Task<object?> ExecAsync(params string[] arguments)
    {
        using var client = await TestRedis.ConnectAsync(Port, password);
        return await client.CommandAsync(arguments);
    }

    /// <summary>Waits until it knows this many replicas and other Sentinels, without which there is no failover.</summary>
    public Task KnowsAsync(string masterName, int replicas, int sentinels) => UntilAsync(async () =>
    {
        object?[] fields = (object?[])(await ExecAsync("SENTINEL", "MASTER", masterName))!;
        var facts = fields.Chunk(2).ToDictionary(pair => (string)pair[0]!, pair => (string)pair[1]!);
        return facts["num-slaves"] == $"{replicas}" && facts["num-other-sentinels"] == $"{sentinels}";
    }, $"the Sentinel should know {replicas} replicas and {sentinels} others");

    /// <summary>The port of the master it names.</summary>
    public async Task<int> MasterPortAsync(string masterName) =>
        int.Parse((string)((object?[])(await ExecAsync("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName))!)[1]!, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Ends the process at once.</summary>
    public void Kill()
    {
        if (process is not { } running) return;
        process = null;
        try
        {
            running.Kill();
            running.WaitForExit();
        }
        catch (InvalidOperationException) { /* it had ended by itself */ }
        running.Dispose();
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= killAtExit;
        Kill();
        sandbox.Dispose();
    }

    async Task UntilAsync(Func<Task<bool>> condition, string expectation)
    {
        for (var watch = Stopwatch.StartNew(); ; await Task.Delay(20))
        {
            try
            {
                if (await condition()) return;
            }
            catch (Exception e) when (e is SocketException or IOException && watch.Elapsed < deadline) { }
            if (process is null or { HasExited: true }) throw new InvalidOperationException("The Sentinel ended at once.");
            if (watch.Elapsed > deadline) throw new TimeoutException(expectation);
        }
    }
}

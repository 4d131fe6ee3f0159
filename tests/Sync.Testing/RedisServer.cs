using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Sync.Testing;

/// <summary>
/// A redis-server of one's own: temporary folder, free loopback port, no persistence unless asked for, gone with
/// <see cref="Dispose"/>. Besides the port it listens on <see cref="SocketPath"/> and, when started with certificates, on
/// <see cref="TlsPort"/>.
/// </summary>
public sealed class RedisServer : IDisposable
{
    static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(30);

    readonly Sandbox sandbox = new();
    readonly string[] extraArguments;
    readonly TestCertificates? certificates;
    readonly StringBuilder output = new();
    readonly EventHandler killAtExit;
    Process? process;

    RedisServer(TestCertificates? certificates, string[] extraArguments)
    {
        this.certificates = certificates;
        this.extraArguments = extraArguments;
        int password = Array.IndexOf(extraArguments, "--requirepass");
        Password = password >= 0 ? extraArguments[password + 1] : null;
        killAtExit = (_, _) => Kill();
        AppDomain.CurrentDomain.ProcessExit += killAtExit;
    }

    /// <summary>What is started: the system's redis-server, or what the environment variable ACTORSYNC_TEST_REDIS names (Redis 8, Valkey).</summary>
    public static string Program => Environment.GetEnvironmentVariable("ACTORSYNC_TEST_REDIS") is { Length: > 0 } program ? program : "redis-server";

    public static string Host => "127.0.0.1";

    public int Port { get; private set; }

    /// <summary>Whether it was started and neither killed nor stopped.</summary>
    public bool IsRunning => process is not null;

    /// <summary>0 unless started with certificates.</summary>
    public int TlsPort { get; private set; }

    /// <summary>The default user's password, if <c>--requirepass</c> was given.</summary>
    public string? Password { get; }

    public string Folder => sandbox.Path;

    public string SocketPath => sandbox.File("redis.sock");

    /// <summary>Starts a server with further settings, such as <c>"--maxmemory", "1mb"</c>, and waits until it answers.</summary>
    public static Task<RedisServer> StartAsync(params string[] extraArguments) => StartAsync(null, extraArguments);

    /// <summary>The same with a TLS port; clients need no certificate unless <c>"--tls-auth-clients", "yes"</c> is given.</summary>
    public static async Task<RedisServer> StartAsync(TestCertificates? certificates, params string[] extraArguments)
    {
        var server = new RedisServer(certificates, extraArguments);
        try
        {
            // Between finding a free port and listening on it somebody else may take it: then the next one.
            for (int attempt = 1; ; attempt++)
            {
                server.Port = FreePort();
                if (certificates is not null) server.TlsPort = FreePort();
                try
                {
                    await server.LaunchAsync(waitUntilLoaded: true);
                    return server;
                }
                catch (InvalidOperationException) when (attempt < 5 && server.output.ToString().Contains("in use", StringComparison.Ordinal)) { }
            }
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>Ends the process at once, as a crash does.</summary>
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

    /// <summary>Shuts down in order, saving if persistence is on.</summary>
    public async Task StopAsync()
    {
        if (process is not { } running) return;
        Signal(15);
        await running.WaitForExitAsync();
        process = null;
        running.Dispose();
    }

    /// <summary>Starts again on the same ports and folder, after <see cref="Kill"/> or <see cref="StopAsync"/>.</summary>
    /// <param name="waitUntilLoaded">False returns while the data set may still be loading.</param>
    /// <param name="further">Settings of this start only.</param>
    public Task StartAgainAsync(bool waitUntilLoaded = true, params string[] further) => LaunchAsync(waitUntilLoaded, further);

    /// <summary>Freezes the process: connections stay open and nothing answers.</summary>
    public void Pause() => Signal(19);

    public void Resume() => Signal(18);

    /// <summary>Runs one command on a connection of its own; see <see cref="TestRedis"/>.</summary>
    public async Task<object?> ExecAsync(params string[] arguments)
    {
        using var client = await ClientAsync();
        return await client.CommandAsync(arguments);
    }

    public Task<TestRedis> ClientAsync() => TestRedis.ConnectAsync(Port, Password);

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= killAtExit;
        Kill();
        sandbox.Dispose();
    }

    async Task LaunchAsync(bool waitUntilLoaded, params string[] further)
    {
        var start = new ProcessStartInfo(Program) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Folder };
        string[] fixedArguments =
        [
            "--port", $"{Port}", "--bind", Host, "--dir", Folder, "--unixsocket", SocketPath, "--save", "", "--appendonly", "no",
            "--daemonize", "no", "--tcp-keepalive", "60",
        ];
        foreach (string argument in fixedArguments) start.ArgumentList.Add(argument);
        if (certificates is not null)
        {
            string[] tls =
            [
                "--tls-port", $"{TlsPort}", "--tls-cert-file", certificates.ServerCert, "--tls-key-file", certificates.ServerKey,
                "--tls-ca-cert-file", certificates.CaCert, "--tls-auth-clients", "no",
            ];
            foreach (string argument in tls) start.ArgumentList.Add(argument);
        }
        foreach (string argument in (string[])[.. extraArguments, .. further]) start.ArgumentList.Add(argument);

        output.Clear();
        var started = Process.Start(start) ?? throw new InvalidOperationException("redis-server did not start.");
        process = started;
        started.OutputDataReceived += Collect;
        started.ErrorDataReceived += Collect;
        started.BeginOutputReadLine();
        started.BeginErrorReadLine();
        await WaitUntilItAnswersAsync(started, waitUntilLoaded);
    }

    async Task WaitUntilItAnswersAsync(Process started, bool waitUntilLoaded)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            if (started.HasExited) throw new InvalidOperationException($"redis-server ended at once:\n{Output()}");
            try
            {
                await ExecAsync("PING");
                return;
            }
            catch (Exception error) when (error is SocketException or IOException) { }
            catch (TestRedisException error)
            {
                if (!error.Message.StartsWith("LOADING", StringComparison.Ordinal)) return;
                if (!waitUntilLoaded) return;
            }
            if (watch.Elapsed > StartDeadline) throw new InvalidOperationException($"redis-server did not answer in time:\n{Output()}");
            await Task.Delay(10);
        }
    }

    void Collect(object sender, DataReceivedEventArgs line)
    {
        lock (output) output.AppendLine(line.Data);
    }

    string Output()
    {
        lock (output) return output.ToString();
    }

    void Signal(int number)
    {
        if (process is { HasExited: false } running) _ = SendSignal(running.Id, number);
    }

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    static extern int SendSignal(int pid, int signal);
}

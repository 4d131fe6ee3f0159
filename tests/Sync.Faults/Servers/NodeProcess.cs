using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Sync.Testing;

namespace Sync.Faults.Servers;

/// <summary>
/// One of our nodes, as its users run it: a process, started again by a supervisor whenever it ends, as systemd would. Ends that are not ours and have an
/// exit code other than those worth another start are kept as problems of the run.
/// </summary>
sealed class NodeProcess : IAsyncDisposable
{
    static readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(2) };
    static readonly TimeSpan restartDelay = TimeSpan.FromMilliseconds(500);
    const int PostgresUnreachable = 10, RedisUnreachable = 20, ClusterDowned = 60;

    readonly string folder;
    readonly Func<NodeProcess, string> config;
    readonly CancellationTokenSource end = new();
    readonly List<string> problems;
    readonly TextWriter log;
    readonly Lock gate = new();
    Task supervision = Task.CompletedTask;
    Process? process;
    bool expected;
    TimeSpan downFor;
    long peakBytes;
    Stopwatch? ending;

    /// <param name="name">For logs.</param>
    /// <param name="folder">Where its configuration and log go.</param>
    /// <param name="postgresPort">Where PostgreSQL listens.</param>
    /// <param name="redisPort">Where Redis listens.</param>
    /// <param name="config">Its configuration, made before every start.</param>
    /// <param name="problems">Takes what should not have happened.</param>
    public NodeProcess(string name, string folder, int postgresPort, int redisPort, Func<NodeProcess, string> config, List<string> problems)
    {
        (Name, this.folder, this.config, this.problems) = (name, folder, config, problems);
        log = TextWriter.Synchronized(new StreamWriter(LogFile) { AutoFlush = true });
        (Postgres, Redis) = (new Wire(postgresPort), new Wire(redisPort));
    }

    public string Name { get; }
    public Wire Postgres { get; }
    public Wire Redis { get; }
    public int HttpPort { get; } = Ports.Free();

    /// <summary>For its next start.</summary>
    public int Workers { get; set; } = 2;

    public string ConfigFile => Path.Combine(folder, $"node-{Name}.yaml");
    public string ClockFile => Path.Combine(folder, $"node-{Name}.clock");

    /// <summary>Whether it is the same host with a clock that we set, instead of the program itself.</summary>
    public bool HasClock { get; init; }

    /// <summary>Its number in the cluster, from 0; null for a single host.</summary>
    public int? ClusterIndex { get; init; }

    /// <summary>How often it has ended because the cluster went on without it.</summary>
    public int Downed { get; private set; }

    /// <summary>How long it took to end when it was asked to, each time.</summary>
    public List<TimeSpan> Ends { get; } = [];

    public string LogFile => Path.Combine(folder, $"node-{Name}.log");
    public int Restarts { get; private set; }
    public bool IsFrozen { get; private set; }

    public int Pid
    {
        get { lock (gate) return process?.Id ?? 0; }
    }

    /// <summary>The most memory any of its incarnations had, in bytes.</summary>
    public long PeakBytes => Math.Max(peakBytes, Posix.PeakResidentBytes(Pid));

    public void Start() => supervision = Task.Run(SuperviseAsync);

    async Task SuperviseAsync()
    {
        while (!end.IsCancellationRequested)
        {
            await File.WriteAllTextAsync(ConfigFile, config(this));
            var started = Spawn();
            await started.WaitForExitAsync();
            int code = started.ExitCode;
            TimeSpan wait;
            lock (gate)
            {
                process = null;
                log.WriteLine($"== node {Name} has ended with exit code {code}");
                wait = expected ? downFor : restartDelay;
                if (expected && ending is { } since) Ends.Add(since.Elapsed);
                if (!expected && !end.IsCancellationRequested)
                {
                    Restarts++;
                    bool isDowned = code == ClusterDowned && ClusterIndex is not null;
                    if (isDowned) Downed++;
                    if (code is not (PostgresUnreachable or RedisUnreachable) && !isDowned)
                        lock (problems) problems.Add($"node {Name} ended by itself with exit code {code}");
                }
                expected = IsFrozen = false;
                ending = null;
            }
            started.Dispose();
            try { await Task.Delay(wait, end.Token); }
            catch (OperationCanceledException) { return; }
        }
    }

    /// <summary>Runs one of our commands with this node's configuration.</summary>
    public async Task<(int Code, string Output)> RunCommandAsync(string[] arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "actorsync.dll"), .. arguments, "--config", ConfigFile])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var command = Process.Start(start)!;
        var errors = command.StandardError.ReadToEndAsync(cancellationToken);
        string output = await command.StandardOutput.ReadToEndAsync(cancellationToken) + await errors;
        await command.WaitForExitAsync(cancellationToken);
        return (command.ExitCode, output);
    }

    Process Spawn()
    {
        string[] program = HasClock
            ? [Path.Combine(AppContext.BaseDirectory, "Sync.Faults.dll"), ClockNode.Verb, ConfigFile, ClockFile]
            : [Path.Combine(AppContext.BaseDirectory, "actorsync.dll"), "run", "--config", ConfigFile, .. ClusterIndex is null ? [] : new[] { "--cluster" }];
        var start = new ProcessStartInfo("dotnet", program)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        lock (gate)
        {
            var started = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
            void Keep(object sender, DataReceivedEventArgs line)
            {
                if (line.Data is not null) log.WriteLine(line.Data);
            }
            started.OutputDataReceived += Keep;
            started.ErrorDataReceived += Keep;
            started.BeginOutputReadLine();
            started.BeginErrorReadLine();
            log.WriteLine($"== node {Name} is process {started.Id}, {Workers} workers");
            process = started;
            if (end.IsCancellationRequested) Posix.Signal(started.Id, Posix.Sigkill);
            return started;
        }
    }

    /// <summary>Ends it with a signal; the supervisor starts it again after <paramref name="down"/>.</summary>
    public void End(int signal, TimeSpan down)
    {
        lock (gate)
        {
            if (process is null) return;
            peakBytes = PeakBytes;
            (expected, downFor, ending) = (true, down, signal == Posix.Sigterm ? Stopwatch.StartNew() : null);
            Posix.Signal(process.Id, signal);
            if (IsFrozen) Posix.Signal(process.Id, Posix.Sigcont);
            IsFrozen = false;
        }
    }

    /// <summary>Sets its clock this far off, from the next look at the file on, and for later starts too.</summary>
    public void SetClock(TimeSpan offset)
    {
        // Renamed into place, so that nobody reads half a number.
        File.WriteAllText(ClockFile + ".new", offset.Ticks.ToString(CultureInfo.InvariantCulture));
        File.Move(ClockFile + ".new", ClockFile, overwrite: true);
    }

    public void Freeze()
    {
        lock (gate)
        {
            if (process is null) return;
            Posix.Signal(process.Id, Posix.Sigstop);
            IsFrozen = true;
        }
    }

    public void Thaw()
    {
        lock (gate)
        {
            if (process is not null) Posix.Signal(process.Id, Posix.Sigcont);
            IsFrozen = false;
        }
    }

    /// <summary>What <c>/api/status</c> says; null when it does not answer.</summary>
    public async Task<JsonElement?> StatusAsync()
    {
        try
        {
            using var document = JsonDocument.Parse(await http.GetStringAsync($"http://127.0.0.1:{HttpPort}/api/status", end.Token));
            return document.RootElement.Clone();
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException or IOException)
        {
            return null;
        }
    }

    /// <summary>The sum over all labels of what <c>/metrics</c> says; 0 when it does not answer.</summary>
    public async Task<double> MetricAsync(string name)
    {
        try
        {
            string text = await http.GetStringAsync($"http://127.0.0.1:{HttpPort}/metrics", end.Token);
            return text.Split('\n').Where(line => line.StartsWith(name, StringComparison.Ordinal) && line[name.Length] is ' ' or '{').Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
        {
            return 0;
        }
    }

    /// <summary>Asks it to do something; whether it will.</summary>
    public async Task<bool> PostAsync(string path, string json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{HttpPort}{path}")
        {
            Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json"),
            Headers = { { "X-ActorSync", "1" } },
        };
        try
        {
            using var response = await http.SendAsync(request, end.Token);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
        {
            return false;
        }
    }

    public async Task<string> StateAsync() => await StatusAsync() is { } status ? status.GetProperty("state").GetString()!.ToLowerInvariant() : "";

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        End(Posix.Sigkill, TimeSpan.Zero);
        await supervision;
        await Postgres.DisposeAsync();
        await Redis.DisposeAsync();
        await log.DisposeAsync();
        end.Dispose();
    }
}

using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Sync.Load.Contestants;
using Sync.Testing;

namespace Sync.Load.Cluster;

/// <summary>A process <c>actorsync run</c>, alone or as one of several, watched by what its endpoint tells.</summary>
sealed class ClusterNode : IDisposable
{
    const int terminate = 15;
    static readonly TimeSpan patience = TimeSpan.FromSeconds(5);

    readonly ContestantProcess process;
    readonly Task<string> ended;
    readonly HttpClient client;

    ClusterNode(ContestantProcess process, int httpPort)
    {
        this.process = process;
        // Its log is read all the while: a full pipe would stop it.
        ended = process.FinishAsync(CancellationToken.None);
        client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{httpPort}"), Timeout = patience };
    }

    public int Id => process.Id;

    /// <param name="config">The file that all nodes share.</param>
    /// <param name="isClustered">Whether it is one of several; otherwise it works alone.</param>
    /// <param name="settings">Environment variables on top of ours.</param>
    public static ClusterNode Start(string config, bool isClustered, IReadOnlyDictionary<string, string> settings)
    {
        // Built beside this program: bench/Sync.Load/bin/Release/net10.0 and src/Sync.Node/bin/Release/net10.0.
        string dll = Repository.At("src", "Sync.Node", "bin", "Release", "net10.0", "actorsync.dll");
        var start = Contestant.CommandLine("dotnet", [dll, "run", "--config", config, .. isClustered ? (string[])["--cluster"] : []]);
        int port = Ports.Free();
        start.Environment["ACTORSYNC_HTTP_PORT"] = $"{port}";
        foreach (var (name, value) in settings) start.Environment[name] = value;
        return new ClusterNode(ContestantProcess.Start(start), port);
    }

    /// <summary>The JSON at a path of its endpoint; null while nobody answers there.</summary>
    public async Task<JsonElement?> LookAsync(string path, CancellationToken cancellationToken)
    {
        if (await ReadAsync(path, cancellationToken) is not { } text) return null;
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    /// <summary>What its garbage collector manages.</summary>
    public async Task<long> HeapAsync(CancellationToken cancellationToken)
    {
        const string name = "dotnet_gc_heap_bytes ";
        string metrics = await ReadAsync("/metrics", cancellationToken) ?? "";
        string line = metrics.Split('\n').First(l => l.StartsWith(name, StringComparison.Ordinal));
        return (long)double.Parse(line[name.Length..], CultureInfo.InvariantCulture);
    }

    async Task<string?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (ended.IsCompleted) throw process.Failed();
        try
        {
            using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), cancellationToken);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync(cancellationToken) : null;
        }
        catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>Change sets it has brought to Redis.</summary>
    public async Task<long> AppliedAsync(CancellationToken cancellationToken) =>
        await LookAsync("/api/status", cancellationToken) is { } status ? status.GetProperty("tables").EnumerateArray().Sum(table => table.GetProperty("rows").GetInt64()) : 0;

    /// <summary>Asks it to stop and waits until it has.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _ = kill(Id, terminate);
        await ended.WaitAsync(cancellationToken);
    }

    [DllImport("libc")]
    static extern int kill(int pid, int signal);

    public void Dispose()
    {
        client.Dispose();
        process.Dispose();
    }
}

using System.Globalization;
using System.Runtime.InteropServices;
using Sync.Node.Commands;
using Sync.Node.Hosting;
using Sync.Node.Resync;
using Sync.Node.Tests.Commands;
using Sync.Node.Tests.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Cluster;

/// <summary>A node of a cluster, as its users run it; it can be killed and started again.</summary>
sealed class ClusterMember(Sandbox folder, int port, Func<ClusterMember, string> config) : IDisposable
{
    readonly string file = folder.File(string.Create(CultureInfo.InvariantCulture, $"{port}.yaml"));
    Commands.Program? process;
    string said = "";

    public int Port => port;
    public int HttpPort { get; } = Ports.Free();
    public NodeClient Client => field ??= new NodeClient(new Uri(Url));
    public string Log => said + process?.Out + process?.Error;

    string Url => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{HttpPort}");

    public void Start()
    {
        File.WriteAllText(file, config(this));
        process = Commands.Program.Start(folder, null, "run", "--config", file);
    }

    /// <summary>As a machine that loses its power.</summary>
    public void Kill()
    {
        said = Log;
        process?.Dispose();
        process = null;
    }

    public async Task LeaveAsync()
    {
        process!.Signal(PosixSignal.SIGTERM);
        var ended = await process.EndAsync();
        ended.Code.ShouldBe(0, ended.Out + ended.Error);
        Kill();
    }

    public Task<NodeStatus?> StatusAsync() => Client.TryStatusAsync(CancellationToken.None);

    public async Task<ResyncStatus?> FindAsync(string table) => (await StatusAsync())?.Resyncs.FirstOrDefault(r => r.Table == table);

    /// <summary>A command of the tool, asked of this node.</summary>
    public Task<Ended> RunAsync(params string[] arguments) => Commands.Program.RunAsync(folder, [.. arguments, "--config", file, "--url", Url]);

    public void Dispose()
    {
        Kill();
        Client.Dispose();
    }
}

/// <summary>Three nodes as processes on the loopback address.</summary>
sealed class ClusterStage : IDisposable
{
    readonly Sandbox folder = new();

    ClusterStage(Servers servers, Pipeline pipeline, string tables)
    {
        int[] ports = [Ports.Free(), Ports.Free(), Ports.Free()];
        string seeds = string.Join(", ", ports.Select(p => $"127.0.0.1:{p}"));
        Members = [.. ports.Select(port => new ClusterMember(folder, port, member => $$"""
            postgres:
              conn: { host: 127.0.0.1, port: {{servers.Postgres.Port}}, database: {{pipeline.Database}}, user: postgres }
              repl: { pub: pub, slot: {{pipeline.Slot}} }
            redis:
              conn: { host: 127.0.0.1, port: {{servers.Redis.Port}} }
            flushWorkers: 2
            retryPolicy: { initialBackoff: 20ms, maxBackoff: 500ms }
            http: { port: {{member.HttpPort}} }
            petabridge: { enabled: false }
            cluster:
              enabled: true
              host: 127.0.0.1
              port: {{member.Port}}
              seeds: [{{seeds}}]
              lanes: 24
            tables:
            {{tables.ReplaceLineEndings("\n")}}
            """))];
    }

    public IReadOnlyList<ClusterMember> Members { get; }

    /// <summary>Starts all and waits until they are one cluster, of which one reads.</summary>
    public static async Task<ClusterStage> StartAsync(Servers servers, Pipeline pipeline, string tables)
    {
        var stage = new ClusterStage(servers, pipeline, tables);
        try
        {
            foreach (var member in stage.Members) member.Start();
            await stage.UntilAsync(
                async () => await stage.FindReaderAsync() is not null && (await Task.WhenAll(stage.Members.Select(m => m.StatusAsync()))).All(s => s is { Ready: true }),
                "three nodes should be one cluster");
            return stage;
        }
        catch
        {
            stage.Dispose();
            throw;
        }
    }

    /// <summary>Waits for a condition; fails with the nodes' own words.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition, string expectation)
    {
        for (var deadline = DateTime.UtcNow.AddSeconds(90); !await condition(); await Task.Delay(50))
            if (DateTime.UtcNow > deadline) throw new TimeoutException($"{expectation}; the nodes said:\n{Log}");
    }

    public string Log => string.Join("\n---\n", Members.Select(m => m.Log));

    /// <summary>The node that reads; null when none does now.</summary>
    public async Task<ClusterMember?> FindReaderAsync()
    {
        foreach (var member in Members)
            if (await member.StatusAsync() is { State: NodeState.Streaming, Ready: true }) return member;
        return null;
    }

    /// <summary>Waits for a node that reads.</summary>
    public async Task<ClusterMember> ReaderAsync()
    {
        ClusterMember? found = null;
        await UntilAsync(async () => (found = await FindReaderAsync()) is not null, "a node should read");
        return found!;
    }

    public void Dispose()
    {
        foreach (var member in Members) member.Dispose();
        folder.Dispose();
    }
}

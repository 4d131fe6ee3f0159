using System.Text.RegularExpressions;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>A master, a replica that follows it, and three Sentinels that watch both; a stage whose nodes know only the Sentinels.</summary>
sealed class SentinelStage : IAsyncDisposable
{
    public const string MasterName = "shop";

    readonly List<SentinelServer> sentinels = [];
    PostgresServer postgres = null!;
    string client = "";

    public RedisServer First { get; private set; } = null!;
    public RedisServer Second { get; private set; } = null!;
    public Stage Stage { get; private set; } = null!;

    public static async Task<SentinelStage> OpenAsync(string schema, string tables, string client = "resp")
    {
        var all = new SentinelStage { client = client };
        try
        {
            all.postgres = await PostgresServer.StartAsync("max_replication_slots=20", "max_wal_senders=20");
            string[] settings = ["--repl-diskless-sync-delay", "0"];
            all.First = await RedisServer.StartAsync(settings);
            all.Second = await RedisServer.StartAsync([.. settings, "--replicaof", $"127.0.0.1 {all.First.Port}"]);
            for (int i = 0; i < 3; i++) all.sentinels.Add(await SentinelServer.StartAsync(MasterName, all.First.Port, quorum: 2));
            foreach (var sentinel in all.sentinels) await sentinel.KnowsAsync(MasterName, replicas: 1, sentinels: 2);
            all.Stage = await Stage.OpenAsync(all.postgres, all.First, schema, tables, "writeTimeout: 5s");
            all.Stage.Edit = all.ThroughSentinels;
            return all;
        }
        catch
        {
            await all.DisposeAsync();
            throw;
        }
    }

    /// <summary>A failover as an administrator asks for it.</summary>
    public Task<object?> FailOverAsync() => sentinels[0].ExecAsync("SENTINEL", "FAILOVER", MasterName);

    /// <summary>Makes the Sentinels take the second server, promoted by hand, for the master, without their touching the first.</summary>
    public async Task NameSecondAsync()
    {
        foreach (var sentinel in sentinels)
        {
            await sentinel.ExecAsync("SENTINEL", "REMOVE", MasterName);
            await sentinel.ExecAsync("SENTINEL", "MONITOR", MasterName, "127.0.0.1", $"{Second.Port}", "3");
        }
    }

    string ThroughSentinels(string yaml) => Regex.Replace(yaml, @"^redis:\n.*$",
        $"redis:\n  client: {client}\n  sentinel: {{ hosts: '{string.Join(',', sentinels.Select(s => $"127.0.0.1:{s.Port}"))}', masterName: {MasterName} }}", RegexOptions.Multiline);

    public async ValueTask DisposeAsync()
    {
        if (Stage is not null) await Stage.DisposeAsync();
        foreach (var sentinel in sentinels) sentinel.Dispose();
        Second?.Dispose();
        First?.Dispose();
        if (postgres is not null) await postgres.DisposeAsync();
    }
}

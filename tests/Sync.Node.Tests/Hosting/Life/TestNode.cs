using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>One node in this process. Its lines to both servers can be cut, which to them is the crash of its machine.</summary>
sealed class TestNode : IAsyncDisposable
{
    readonly CancellationTokenSource stop = new();
    readonly LogLines log = new();
    readonly Task run;

    public TestNode(SyncConfig config, HostOptions options, Wire postgres, Wire redis)
    {
        (Postgres, Redis) = (postgres, redis);
        Host = new SingleHost(config, options, log);
        run = Task.Run(() => Host.RunAsync(stop.Token));
    }

    public SingleHost Host { get; }
    public NodeStatus Status => Host.Status;
    public Wire Postgres { get; }
    public Wire Redis { get; }
    public IReadOnlyList<string> Log => log.Lines;

    /// <summary>Waits for a condition; fails with the node's own words.</summary>
    public Task UntilAsync(Func<bool> condition, string expectation) => UntilAsync(() => Task.FromResult(condition()), expectation);

    public async Task UntilAsync(Func<Task<bool>> condition, string expectation, int seconds = 60)
    {
        for (var deadline = DateTime.UtcNow.AddSeconds(seconds); !await condition(); await Task.Delay(5))
        {
            if (run.IsFaulted) await run;
            if (DateTime.UtcNow > deadline)
                throw new TimeoutException($"{expectation}; state {Status.State}, last error '{Status.LastError}', {Status.Lsn}, {Status.Queues}, log:\n{string.Join('\n', Log)}");
        }
    }

    public Task ReachesAsync(NodeState state) => UntilAsync(() => Status.State == state, $"the node should be {state}");

    /// <summary>Asks it to stop and waits until it has.</summary>
    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await run;
    }

    /// <summary>Waits until it ends by itself.</summary>
    public Task EndAsync() => run.WaitAsync(TimeSpan.FromSeconds(60));

    /// <summary>What ended it.</summary>
    public Task<SyncException> FailureAsync() => Should.ThrowAsync<SyncException>(EndAsync);

    /// <summary>Its machine is gone: nothing it has not sent will arrive.</summary>
    public void Crash()
    {
        Postgres.Cut();
        Redis.Cut();
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        try { await run; }
        catch (SyncException) { /* The test has looked at it. */ }
        await Postgres.DisposeAsync();
        await Redis.DisposeAsync();
        await Host.DisposeAsync();
        stop.Dispose();
    }
}

using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Node.Hosting;

/// <summary>
/// Asks the Sentinels once a second whether the server that is written to is still the master. One that was replaced goes on taking writes, all of
/// them lost, until the Sentinels demote it: that can be longer than rewindWindow, after which PostgreSQL would have forgotten them as well. While
/// no majority of the Sentinels agrees, nothing is changed: that alone is no reason to stop.
/// </summary>
sealed class MasterWatch(SyncConfig config, string endpoint, TimeProvider time)
{
    static readonly TimeSpan interval = TimeSpan.FromSeconds(1);

    /// <summary>Looks once.</summary>
    /// <exception cref="RedisFencedException">Another server is the master now.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        if (await RedisMaster.NamedAsync(config.Redis, config.WriteTimeout, time, cancellationToken) is { } named && named.ToString() != endpoint)
            throw new RedisFencedException($"The Sentinels name Redis at {named} as the master now, no more the one at {endpoint}.");
    }

    /// <summary>Runs until it is cancelled.</summary>
    /// <exception cref="RedisFencedException">Another server is the master now.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(interval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
            await CheckAsync(cancellationToken);
    }
}

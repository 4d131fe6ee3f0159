using System.Diagnostics;
using System.Globalization;
using Sync.Faults.Load;
using Sync.Faults.Servers;

namespace Sync.Faults.Scenarios;

/// <summary>
/// A key of another type stands where a stream should be. Its changes are parked; those of all other keys go on; then the plant is removed and
/// <c>actorsync dlq retry</c> has to bring exactly what is missing, while more comes for the same key.
/// </summary>
sealed class PoisonPhase(Site site)
{
    static readonly TimeSpan retryDeadline = TimeSpan.FromMinutes(1);
    const int mostRefusals = 10;
    int next = Schema.FirstPoisonKey, refusals;

    /// <summary>Changes that were parked and then applied, in all phases.</summary>
    public long Retried { get; private set; }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        int key = next++;
        refusals = 0;
        string name = string.Create(CultureInfo.InvariantCulture, $"log:{key}");
        await site.Redis.ExecAsync("SET", name, "planted");
        await site.Postgres.ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"insert into counter values ({key})"), site.Database);
        for (int i = 1; i <= 6; i++)
        {
            await site.Postgres.ExecuteAsync(Statements.EventsSql(key, i * 3), site.Database);
            await Task.Delay(150, cancellationToken);
        }
        string? target = await site.Postgres.ScalarAsync<string>("select pg_current_wal_lsn()::text", site.Database);
        await site.UntilAsync(async () => await ParkedAsync() > 0, "changes of a poisoned key should be parked");
        // A poisoned key stops nobody else: all that was committed up to here is applied or parked, while the key stays as it is.
        await site.UntilAsync(async () => await (await site.ActiveAsync()).StatusAsync() is { } status
            && Site.Lsn(status.GetProperty("lsn").GetProperty("applied").GetString()!) >= Site.Lsn(target!), "other keys should go on");
        await site.UntilAsync(async () => await ParkedAsync() == 63, "every change of the poisoned key should be parked, in order");
        await site.Redis.ExecAsync("DEL", name);
        Retried += await ParkedAsync();

        var watch = Stopwatch.StartNew();
        do
        {
            await RetryAsync(cancellationToken);
            await site.Postgres.ExecuteAsync(Statements.EventsSql(key, 5), site.Database);
        }
        while (await ParkedAsync() > 0 && watch.Elapsed < retryDeadline);
        if (await ParkedAsync() is var left and > 0)
            lock (site.Problems) site.Problems.Add($"{left} changes are still parked after actorsync dlq retry");
    }

    async Task<long> ParkedAsync() => (long)(await site.Redis.ExecAsync("XLEN", "actorsync:{faults}:dlq"))!;

    async Task RetryAsync(CancellationToken cancellationToken)
    {
        var active = await site.ActiveAsync();
        var (code, output) = await active.RunCommandAsync(["dlq", "retry", "--all"], cancellationToken);
        // Lanes that are on their way to another node do not answer, nor does a node that opens its connection anew because a table was changed: who
        // asked is told to ask again.
        bool mayAskAgain = site.Network is not null || output.Contains("try again", StringComparison.Ordinal);
        if (code != 0 && (!mayAskAgain || ++refusals > mostRefusals))
            lock (site.Problems) site.Problems.Add($"actorsync dlq retry ended with exit code {code}: {output.Trim()}");
    }
}

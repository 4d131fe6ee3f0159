using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Leases;

/// <summary>
/// Leases as rows of <c>actorsync.leases</c> on the source. Each question is one statement, and <c>clock_timestamp()</c> of the server is the only clock. A question
/// finds the primary anew when the last one failed, so that a lease survives a failover of PostgreSQL as far as its rows do: with asynchronous replication
/// the last renewal may be lost, which ends the lease early at worst. Thread-safe.
/// </summary>
public sealed class LeaseStore(PostgresConnector connector) : ILeaseStore, IAsyncDisposable
{
    // A row stays when its lease is given up: its fence goes on from there. The lock of the row orders those who come at once.
    const string acquire = """
        insert into actorsync.leases as held (name, owner, fence, renewals, expires)
        values ($1, $2, 1, 0, clock_timestamp() + $3)
        on conflict (name) do update set
            fence = case when held.owner = excluded.owner and held.expires > clock_timestamp() then held.fence else held.fence + 1 end,
            owner = excluded.owner, renewals = held.renewals + 1, expires = clock_timestamp() + $3
        where held.owner = excluded.owner or held.expires <= clock_timestamp()
        """;
    const string renew = "update actorsync.leases set renewals = renewals + 1, expires = clock_timestamp() + $3 where name = $1 and fence = $2 and expires <> '-infinity'";
    const string release = "update actorsync.leases set expires = '-infinity' where name = $1 and fence = $2";
    const string read = """
        select owner, fence, renewals, expires - clock_timestamp() from actorsync.leases
        where name = $1 and expires > clock_timestamp()
        """;

    readonly SemaphoreSlim turn = new(1);
    PostgresPrimary? primary;

    /// <summary>Makes schema and table if they are missing.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be reached, or the user may not create them.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        var server = await PrimaryAsync(cancellationToken);
        await ClusterSchema.EnsureAsync(server, cancellationToken);
    }

    public async ValueTask<LeaseRecord> AcquireAsync(string name, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        // Between the two statements a holder may give up; then nobody is found, and the next attempt gets the lease.
        while (true)
        {
            await RunAsync(acquire, [name, owner, duration], cancellationToken);
            if (await ReadAsync(name, cancellationToken) is { } holder) return holder;
        }
    }

    public async ValueTask<bool> RenewAsync(string name, long fence, TimeSpan duration, CancellationToken cancellationToken) =>
        await RunAsync(renew, [name, fence, duration], cancellationToken) == 1;

    public async ValueTask ReleaseAsync(string name, long fence, CancellationToken cancellationToken) => await RunAsync(release, [name, fence], cancellationToken);

    public async ValueTask<LeaseRecord?> ReadAsync(string name, CancellationToken cancellationToken) => await AskAsync(read, [name], async command =>
    {
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? new LeaseRecord(row.GetString(0), row.GetInt64(1), row.GetInt64(2), row.GetTimeSpan(3)) : null;
    }, cancellationToken);

    Task<int> RunAsync(string sql, object[] values, CancellationToken cancellationToken) =>
        AskAsync(sql, values, command => command.ExecuteNonQueryAsync(cancellationToken), cancellationToken);

    // A pooled connection may have died unnoticed, in a restart of PostgreSQL hours ago; that is no reason to say that PostgreSQL can't be reached, so
    // each statement has a second try. All of them may be repeated.
    async Task<T> AskAsync<T>(string sql, object[] values, Func<NpgsqlCommand, Task<T>> run, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await using var command = (await PrimaryAsync(cancellationToken)).DataSource.CreateCommand(sql);
                foreach (object value in values) command.Parameters.Add(new NpgsqlParameter { Value = value });
                return await run(command);
            }
            catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                await ForgetAsync();
                if (attempt == 2) throw;
            }
        }
    }

    async Task<PostgresPrimary> PrimaryAsync(CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken);
        try
        {
            return primary ??= await connector.FindPrimaryAsync(cancellationToken);
        }
        finally
        {
            turn.Release();
        }
    }

    async Task ForgetAsync()
    {
        if (Interlocked.Exchange(ref primary, null) is { } last) await last.DisposeAsync();
    }

    public async ValueTask DisposeAsync() => await ForgetAsync();
}

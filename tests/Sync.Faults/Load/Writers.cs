using Npgsql;
using Sync.Testing;

namespace Sync.Faults.Load;

/// <summary>
/// Several sessions that write at once. What PostgreSQL refuses (a deadlock, a key that another session took first) or does not answer because it was
/// killed is left as it is: whether it committed is in the history, and only that counts.
/// </summary>
sealed class Writers(PostgresServer postgres, string database, int seed, int sessions, int rowsPerSecond) : IAsyncDisposable
{
    readonly CancellationTokenSource end = new();
    readonly SemaphoreSlim[] busy = [.. Enumerable.Range(0, sessions).Select(_ => new SemaphoreSlim(1))];
    Task work = Task.CompletedTask;
    long committed, refused;

    public long Transactions => Interlocked.Read(ref committed);
    public long Refused => Interlocked.Read(ref refused);

    public void Start() => work = Task.WhenAll(Enumerable.Range(0, sessions).Select(i => Task.Run(() => WorkAsync(i))));

    /// <summary>Waits until every session has finished its transaction, and lets none begin another one.</summary>
    public async Task PauseAsync()
    {
        foreach (var session in busy) await session.WaitAsync();
    }

    public void Resume()
    {
        foreach (var session in busy) session.Release();
    }

    async Task WorkAsync(int index)
    {
        var statements = new Statements(new Random(HashCode(seed, index)));
        while (!end.IsCancellationRequested)
        {
            try
            {
                await using var connection = await postgres.OpenAsync(database);
                while (!end.IsCancellationRequested) await StepAsync(connection, index, statements);
            }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException)
            {
                Interlocked.Increment(ref refused);
                await Task.Delay(100);
            }
        }
    }

    async Task StepAsync(NpgsqlConnection connection, int index, Statements statements)
    {
        var (sql, rows) = statements.Next();
        await busy[index].WaitAsync(end.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        if (end.IsCancellationRequested) return;
        try
        {
            await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 60 };
            await command.ExecuteNonQueryAsync();
            Interlocked.Increment(ref committed);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DeadlockDetected)
        {
            Interlocked.Increment(ref refused);
            await using var rollback = new NpgsqlCommand("rollback", connection);
            await rollback.ExecuteNonQueryAsync();
        }
        finally
        {
            busy[index].Release();
        }
        // A session that writes n rows is silent for as long as they take at its share of the rate.
        await Task.Delay(TimeSpan.FromSeconds((double)rows * sessions / rowsPerSecond));
    }

    /// <summary>The same in every process, unlike System.HashCode.</summary>
    static int HashCode(int seed, int index) => unchecked((seed * 1_000_003) ^ (index * 7919));

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        await work;
        end.Dispose();
    }
}

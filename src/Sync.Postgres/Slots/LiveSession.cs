using System.Globalization;
using Npgsql;

namespace Sync.Postgres.Slots;

/// <summary>
/// A session that holds an advisory lock for as long as its process lives. It gives a sign of life every <see cref="signOfLife"/>, and PostgreSQL ends it after <see cref="silence"/> without
/// (<c>idle_session_timeout</c>, 14 and later): a holder that stands still, or is cut off, keeps nothing from the others for longer than that.
/// </summary>
sealed class LiveSession : IAsyncDisposable
{
    static readonly TimeSpan signOfLife = TimeSpan.FromSeconds(2), silence = TimeSpan.FromSeconds(8);

    readonly NpgsqlConnection connection;
    readonly CancellationTokenSource ending = new();

    /// <param name="connection">Has the lock; owned from here on.</param>
    public LiveSession(NpgsqlConnection connection)
    {
        this.connection = connection;
        Ended = LiveAsync();
    }

    /// <summary>Ends when the session is found to be gone, and the lock with it, or given up.</summary>
    public Task Ended { get; }

    bool HasTimeout => connection.PostgreSqlVersion.Major >= 14;

    async Task LiveAsync()
    {
        try
        {
            if (HasTimeout)
                await ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"set idle_session_timeout = {(int)silence.TotalMilliseconds}"));
            // In the time of PostgreSQL, whatever the clock of the wait.
            using var timer = new PeriodicTimer(signOfLife);
            while (await timer.WaitForNextTickAsync(ending.Token)) await ExecuteAsync("select 1");
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or ObjectDisposedException or OperationCanceledException)
        {
            // Gone, or given up.
        }
    }

    async Task ExecuteAsync(string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ending.Token);
    }

    /// <summary>Gives the lock up before the connection goes back into its pool, where it would keep it, and be ended for its silence.</summary>
    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await Ended;
        ending.Dispose();
        try
        {
            await using var command = new NpgsqlCommand($"select pg_advisory_unlock_all();{(HasTimeout ? "reset idle_session_timeout" : "")}", connection) { CommandTimeout = (int)signOfLife.TotalSeconds };
            await command.ExecuteNonQueryAsync();
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or ObjectDisposedException)
        {
            // The session is gone, and the lock with it.
        }
        await connection.DisposeAsync();
    }
}

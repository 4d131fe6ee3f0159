using System.Globalization;
using Npgsql;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>
/// A load whose every change counts: bookings on accounts become INCRBY, RPUSH and XADD, so that one applied twice, left out or out of order
/// shows for ever.
/// </summary>
sealed class Bookings(Stage stage) : IAsyncDisposable
{
    public const string Schema = "create table booking(id bigserial primary key, account int not null, amount int not null)";

    public const string Tables = """
          - booking:
              key: "account:{account}"
              insert:
                commands:
                  - ["INCRBY", "sum:{account}", "{amount}"]
                  - ["RPUSH", "list:{account}", "{id}"]
                  - ["XADD", "log:{account}", "*", "id", "{id}"]
        """;

    const int accounts = 12;

    readonly CancellationTokenSource stop = new();
    Task load = Task.CompletedTask;

    /// <summary>Books in small transactions until <see cref="StopAsync"/>; comes back when PostgreSQL was away.</summary>
    public void Start(int pauseMs = 1) => load = Task.Run(async () =>
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await stage.Postgres.OpenAsync(stage.Database);
                while (!stop.IsCancellationRequested)
                {
                    await BookAsync(connection, Random.Shared.Next(1, 20));
                    await Task.Delay(pauseMs);
                }
            }
            catch (Exception e) when (e is NpgsqlException or IOException)
            {
                await Task.Delay(50);
            }
        }
    });

    static async Task BookAsync(NpgsqlConnection connection, int rows)
    {
        await using var command = new NpgsqlCommand(
            $"insert into booking(account, amount) select (random() * {accounts - 1})::int, (random() * 1000)::int from generate_series(1, {rows})", connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Books this many rows in one transaction.</summary>
    public async Task BookAsync(int rows)
    {
        await using var connection = await stage.Postgres.OpenAsync(stage.Database);
        await BookAsync(connection, rows);
    }

    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await load;
    }

    /// <summary>Every account as PostgreSQL and Redis see it; one writer, so ids are in the order of the commits.</summary>
    /// <param name="server">The Redis to look at; null for the stage's.</param>
    public async Task ShouldBeExactAsync(RedisServer? server = null)
    {
        using var redis = await (server ?? stage.Redis).ClientAsync();
        await ShouldBeExactAsync(redis.CommandAsync);
    }

    /// <summary>The same wherever commands go.</summary>
    public async Task ShouldBeExactAsync(Func<string[], Task<object?>> redis)
    {
        for (int account = 0; account < accounts; account++)
        {
            string ids = await stage.ScalarAsync<string>($"select coalesce(string_agg(id::text, ',' order by id), '') from booking where account = {account}") ?? "";
            long sum = await stage.ScalarAsync<long>($"select coalesce(sum(amount), 0) from booking where account = {account}");
            string list = string.Join(',', ((object?[])(await redis(["LRANGE", $"list:{account}", "0", "-1"]))!).Select(i => (string)i!));
            string log = string.Join(',', ((object?[])(await redis(["XRANGE", $"log:{account}", "-", "+"]))!).Select(e => (string)((object?[])((object?[])e!)[1]!)[1]!));
            Difference(list, ids).ShouldBe("", $"list of account {account}");
            Difference(log, ids).ShouldBe("", $"log of account {account}");
            long.Parse((string?)await redis(["GET", $"sum:{account}"]) ?? "0", CultureInfo.InvariantCulture).ShouldBe(sum, $"sum of account {account}");
        }
    }

    /// <summary>Where two lists part; empty when they are alike.</summary>
    static string Difference(string found, string expected)
    {
        if (found == expected) return "";
        string[] left = found.Split(','), right = expected.Split(',');
        int at = left.Zip(right).TakeWhile(p => p.First == p.Second).Count();
        return $"{left.Length} items instead of {right.Length}; from {at} on {string.Join(',', left.Skip(at).Take(10))} instead of {string.Join(',', right.Skip(at).Take(10))}";
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        stop.Dispose();
    }
}

using Npgsql;
using Sync.Node.Resync;
using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Resync;

static class ResyncDriver
{
    /// <summary>Re-syncs a table and waits for the end.</summary>
    public static async Task<ResyncStatus> ResyncAsync(this Pipeline pipeline, string table, int rate = ResyncStatus.HighestRate)
    {
        await pipeline.Host.StartResyncAsync(table, rate, CancellationToken.None);
        return await pipeline.ResyncedAsync(table);
    }

    public static async Task<ResyncStatus> ResyncedAsync(this Pipeline pipeline, string table)
    {
        await pipeline.UntilAsync(() => Task.FromResult(pipeline.Resync(table) is { IsOver: true }), $"the re-sync of {table} should end");
        return pipeline.Resync(table)!;
    }

    /// <summary>How far it is; null while nothing streams, or when there is none.</summary>
    public static ResyncStatus? Resync(this Pipeline pipeline, string table) => pipeline.Host.Status.Resyncs.FirstOrDefault(r => r.Table == table);
}

/// <summary>Writes at random over the rows of t and u: updates, deletes, inserts, new keys, several rows in a transaction, rolled back ones.</summary>
sealed class RowLoad(Servers servers, string database, int seed)
{
    readonly Random random = new(seed);

    public async Task RunAsync(CancellationToken stop)
    {
        await using var sql = await servers.Postgres.OpenAsync(database);
        while (!stop.IsCancellationRequested)
        {
            var statements = Enumerable.Range(0, random.Next(1, 6)).Select(_ => Statement()).ToList();
            string text = statements.Count == 1 ? statements[0] : $"begin; {string.Join("; ", statements)}; {(random.Next(8) == 0 ? "rollback" : "commit")}";
            await using var command = new NpgsqlCommand(text, sql);
            try
            {
                await command.ExecuteNonQueryAsync(CancellationToken.None);
            }
            catch (PostgresException e) when (e.SqlState is "40P01" or "23505")
            {
                // A deadlock, or a key that is taken: the transaction did nothing.
                await using var rollback = new NpgsqlCommand("rollback", sql);
                await rollback.ExecuteNonQueryAsync(CancellationToken.None);
            }
        }
    }

    string Statement()
    {
        int id = random.Next(1, 2501), n = random.Next(1_000_000);
        return random.Next(10) switch
        {
            0 => $"delete from t where id = {id}",
            1 => $"insert into t values ({id}, 'i{n}', {n}, 'k{n % 3}') on conflict (id) do update set name = excluded.name, n = excluded.n",
            2 => $"update t set id = {random.Next(1, 2501)} where id = {id}",
            3 => $"update u set v = 'w{n}' where a = {id % 300}",
            4 => $"delete from u where a = {id % 300}",
            5 => $"insert into u values ({id % 300}, 'b:{n % 5}', 'x{n}') on conflict do nothing",
            6 => $"update t set n = {n} where id between {id} and {id + 20}",
            _ => $"update t set name = 'u{n}', kind = 'k{n % 4}' where id = {id}",
        };
    }
}

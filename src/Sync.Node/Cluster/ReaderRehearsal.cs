using Sync.Contracts;
using Sync.Engine.Progress;
using Sync.Node.Hosting;
using Sync.Redis.Errors;
using Sync.Redis.Progress;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <summary>
/// A node that stands by looks once at what the start of a reader looks at, as far as that can be seen beside another one, and changes nothing. So a user hears of what would keep it from reading
/// before it is needed, and what a start runs is compiled by then, which is most of what a first start takes.
/// </summary>
/// <param name="parts">Configuration, log and clock.</param>
sealed class ReaderRehearsal(NodeParts parts)
{
    static readonly TimeSpan look = TimeSpan.FromMilliseconds(250);

    /// <summary>Does it as soon as another node reads.</summary>
    /// <param name="isReadElsewhere">Null while nobody reads yet; false when this node does, which needs no rehearsal then.</param>
    /// <param name="cancellationToken">Asks to end.</param>
    public async Task RunAsync(Func<CancellationToken, Task<bool?>> isReadElsewhere, CancellationToken cancellationToken)
    {
        try
        {
            bool? elsewhere;
            while ((elsewhere = await isReadElsewhere(cancellationToken)) is null) await Task.Delay(look, parts.Time, cancellationToken);
            if (elsewhere is true) await RehearseAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The node ends.
        }
        catch (SyncException e) when (e.Code == ExitCode.PostgresUnreachable)
        {
            // It passes, and whoever reads then says so.
        }
        catch (RedisTransientException)
        {
            // Likewise.
        }
        catch (SyncException e)
        {
            Warn(e.Message);
        }
        catch (Exception e)
        {
            // A look that goes wrong must not end the node.
            Warn($"{e.GetType().Name}: {e.Message}");
        }
    }

    void Warn(string cause) => parts.Log.Warning($"This node could not read slot {parts.Config.Postgres.Repl.Slot} if it had to take over now: {cause}");

    async Task RehearseAsync(CancellationToken cancellationToken)
    {
        var config = parts.Config;
        var (log, refused) = await Source.RehearseAsync(config, forWhom => { if (forWhom.Length > 0) parts.Log.Warning(forWhom); }, parts.Time, cancellationToken);
        foreach (string table in refused) parts.Log.Warning($"This node would stop a table if it had to read slot {config.Postgres.Repl.Slot} now: {table}.");
        await using var session = await SinkSession.OpenAsync(config.Redis, config.WriteTimeout, parts.Time, null, null, cancellationToken);
        var (writer, connection) = (parts.ContextFor(session.History, config.Cluster.Lanes), session.Connection);
        var held = await writer.Progress.ReadHistoryAsync(connection, cancellationToken);
        if (HistoryCheck.Find(held, log.History, log.End) is { IsAbandoned: true } finding)
            Warn($"PostgreSQL is on timeline {log.History.Timeline} at {log.End}, Redis follows timeline {held.Log!.Timeline} up to {held.Known} ({finding.Verdict}), so postgres.onHistoryChange would decide.");
        await writer.Snapshots.LoadAsync(connection, cancellationToken);
        await writer.DeadLetters.LoadParkedKeysAsync(connection, cancellationToken);
        await writer.DeadLetters.CountAsync(connection, cancellationToken);
        await new TableTexts(writer.Keys.Resync).LoadAsync(connection, cancellationToken);
    }
}

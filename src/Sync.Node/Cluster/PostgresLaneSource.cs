using Sync.Actors.Ports;
using Sync.Node.Hosting;
using HostOptions = Sync.Node.Hosting.HostOptions;

namespace Sync.Node.Cluster;

/// <summary>PostgreSQL is lost for a reason that passes. The reader begins anew.</summary>
sealed class SourceLostException(Exception cause) : Exception(cause.Message, cause);

/// <summary>
/// One start of the reader: the primary, the lease and the slot, what Redis holds, the copies, the stream; the same steps as those of a single host, with lanes in the place of
/// its writers. It ends with whatever ends one of them. The next start begins at the first step.
/// </summary>
sealed class PostgresLaneSource(NodeParts parts, TableSet tables, StatusBoard board, PostgresLaneSourceFactory factory, long epoch) : ILaneSource
{
    volatile LaneOutputFactory? outputs;

    public async Task RunAsync(ILanes lanes, CancellationToken stop)
    {
        using var hard = new CancellationTokenSource();
        await using var onStop = stop.Register(() => hard.CancelAfter(parts.Config.ShutdownTimeout));
        var made = outputs = new LaneOutputFactory(lanes, epoch);
        try
        {
            board.Set(NodeState.Starting);
            await using var source = await Source.OpenAsync(parts, tables, board, factory.Found, stop);
            await NodeEngine.RunAsync(parts, made, tables, source, new HostOptions(), board, copied: () => { }, stop, hard.Token);
            // All is copied and nothing is to be followed: nobody else has to do it again.
            if (!stop.IsCancellationRequested) await Task.Delay(Timeout.InfiniteTimeSpan, parts.Time, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // It was asked to.
        }
        catch (Exception e) when (factory.IsProven && Source.IsTransient(e))
        {
            parts.Stats.SetError(e.Message);
            throw new SourceLostException(e);
        }
        finally
        {
            board.Engine = null;
            board.Set(NodeState.Standby, "not the reader");
        }
    }

    public void Applied(int lane, int batches) => outputs!.Output!.Applied(lane, batches);
}

/// <summary>Makes the sources of this node's readers; what is known of PostgreSQL and the tables is kept from one to the next.</summary>
/// <param name="parts">Configuration, log, clock and counters.</param>
/// <param name="tables">The tables.</param>
/// <param name="board">Shows what the reader does.</param>
/// <param name="store">Gives numbers.</param>
sealed class PostgresLaneSourceFactory(NodeParts parts, TableSet tables, StatusBoard board, RedisLaneStore store) : ILaneSourceFactory
{
    volatile bool isProven;

    /// <summary>Whether PostgreSQL was found good once; losing it is then waited out.</summary>
    public bool IsProven => isProven;

    public void Found() => isProven = true;

    public ILaneSource Create(long epoch) => new PostgresLaneSource(parts, tables, board, this, epoch);

    public ValueTask<long> NextEpochAsync(CancellationToken cancellationToken) => store.NextEpochAsync(cancellationToken);
}

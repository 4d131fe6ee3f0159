using Sync.Engine.Batching;
using Sync.Node.Hosting;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Node.Resync;

/// <summary>Commands for several keys, in one transaction that is refused when another node has taken over.</summary>
sealed class MendBatch(WriterContext context)
{
    readonly RespCommands commands = new();
    readonly List<int> ends = [];

    /// <summary>How many keys.</summary>
    public int Count => ends.Count;

    /// <summary>What it takes of a transaction.</summary>
    public long Bytes => commands.Bytes.Length;

    /// <summary>The commands of one key; false when there are none.</summary>
    public bool Add(IReadOnlyList<byte[][]> ofKey)
    {
        if (ofKey.Count == 0) return false;
        Add(Render(ofKey));
        return true;
    }

    /// <summary>Commands of one key that were rendered.</summary>
    public void Add(RespCommands rendered)
    {
        commands.Append(rendered);
        ends.Add(commands.Count);
    }

    /// <summary>Renders the commands of one key, to look at their size before they are added.</summary>
    public static RespCommands Render(IReadOnlyList<byte[][]> ofKey)
    {
        var rendered = new RespCommands();
        foreach (byte[][] command in ofKey) rendered.Add([.. command.Select(a => (RedisArgument)a)]);
        return rendered;
    }

    /// <summary>Why Redis can't take the commands of a key for their size; null when it can.</summary>
    public static async ValueTask<Oversize?> RefuseAsync(WriterContext context, SinkSession session, RespCommands ofKey, CancellationToken cancellationToken)
    {
        if (context.Limits.Of(session.Limits).Refuse(ofKey.Bytes.Span) is null) return null;
        // The limit may have been raised since the connection was opened.
        await session.RefreshLimitsAsync(cancellationToken);
        return context.Limits.Of(session.Limits).Refuse(ofKey.Bytes.Span);
    }

    /// <summary>How many keys are right now, how many Redis refused, and its last word on those.</summary>
    public async ValueTask<(long Done, long Refused, string Error)> RunAsync(SinkSession session, CancellationToken cancellationToken)
    {
        if (commands.Count == 0) return (0, 0, "");
        if (context.FlightFence is null) await session.CheckOwnerAsync(context.Fence, cancellationToken);
        string?[] errors = await TransactAsync(session, null, cancellationToken);
        long refused = errors.Count(e => e is not null);
        return (ends.Count - refused, refused, errors.LastOrDefault(e => e is not null) ?? "");
    }

    /// <summary>Why each key was refused while the transaction ran, in the order they were added; null for those that are right now.</summary>
    /// <param name="session">Guarded by its fence.</param>
    /// <param name="behind">What goes with it; null for nothing.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="Sync.Contracts.SyncException">Redis refuses one of the commands as such; nothing was applied.</exception>
    public async ValueTask<string?[]> TransactAsync(SinkSession session, RespCommands? behind, CancellationToken cancellationToken)
    {
        var replies = await session.TransactAsync(behind is null ? commands : new RespCommands().Append(commands).Append(behind), cancellationToken);
        string?[] errors = new string?[ends.Count];
        int from = 0;
        for (int i = 0; i < errors.Length; i++)
        {
            var failed = replies.Skip(from).Take(ends[i] - from).FirstOrDefault(r => r.IsError);
            from = ends[i];
            if (failed.IsError) errors[i] = RedisErrors.Cause(failed.ErrorText);
        }
        foreach (var reply in replies.Skip(from)) reply.OrThrow(session.Endpoint, null);
        context.Metrics.KeysMended.Add(errors.Count(e => e is null));
        return errors;
    }
}

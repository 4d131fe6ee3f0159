using System.Collections.Concurrent;
using System.Text;
using Sync.Contracts.Rows;
using Sync.Engine.Resync;

namespace Sync.Node.Resync;

/// <param name="Table">Index of the table in the configuration.</param>
/// <param name="Changes">What the stream changed of it.</param>
sealed record TableWatch(int Table, ChangeWatch Changes);

/// <summary>
/// Where those who read rows and the reader of the stream meet. The first tell what to watch and which chunk comes with which message; the
/// second notes changes and hands each chunk over when its message comes by. Costs the stream one look at an empty array per row while nothing
/// is under way.
/// </summary>
/// <param name="recent">What the stream has carried last.</param>
sealed class ResyncFeed(RecentTransactions recent)
{
    /// <summary>Prefix of our messages in the log (PostgreSQL docs, pg_logical_emit_message).</summary>
    public const string Prefix = "actorsync";

    static readonly byte[] prefix = Encoding.UTF8.GetBytes(Prefix);

    readonly Lock gate = new();
    readonly ConcurrentDictionary<string, ResyncChunk> awaited = new(StringComparer.Ordinal);
    volatile TableWatch[] watches = [];

    public RecentTransactions Recent => recent;

    /// <summary>Whether changes have to be noted.</summary>
    public bool IsWatching => watches.Length > 0;

    /// <summary>From now on every change of the table that the stream brings is noted.</summary>
    public TableWatch Watch(int table)
    {
        var watch = new TableWatch(table, new ChangeWatch());
        lock (gate) watches = [.. watches, watch];
        return watch;
    }

    public void Leave(TableWatch watch)
    {
        lock (gate) watches = [.. watches.Where(w => w != watch)];
    }

    /// <summary>A row of the stream.</summary>
    public void Note(int table, in RowChange change)
    {
        foreach (var watch in watches)
            if (watch.Table == table) watch.Changes.Note(change);
    }

    /// <summary>The table was emptied, altered, or can't be followed.</summary>
    public void Spoil(int table)
    {
        foreach (var watch in watches)
            if (watch.Table == table) watch.Changes.Spoil();
    }

    /// <summary>The chunk is handed over when the message with its mark comes.</summary>
    public void Await(ResyncChunk chunk) => awaited[chunk.Mark] = chunk;

    public void Forget(ResyncChunk chunk) => awaited.TryRemove(chunk.Mark, out _);

    /// <summary>The chunk of a message; null for messages of others and those of an earlier life of ours.</summary>
    public ResyncChunk? Take(ReadOnlySpan<byte> messagePrefix, ReadOnlySpan<byte> content)
    {
        if (awaited.IsEmpty || !messagePrefix.SequenceEqual(prefix)) return null;
        return awaited.TryRemove(Encoding.UTF8.GetString(content), out var chunk) ? chunk : null;
    }
}

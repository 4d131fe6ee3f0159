using Sync.Redis.Connections;

namespace Sync.Node.Hosting;

/// <summary>Has a Redis that was started again begin a new append-only file, and tells it.</summary>
static class AppendOnlyGuard
{
    /// <summary>To be called on a connection that is about to write, before it does.</summary>
    /// <param name="writer">Log and counters.</param>
    /// <param name="connection">To the server.</param>
    /// <param name="key">Where that server keeps for which of its starts this was done.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async ValueTask CheckAsync(WriterContext writer, RespConnection connection, string key, CancellationToken cancellationToken)
    {
        if (await AppendOnlyFile.BeginAnewAsync(connection, key, cancellationToken) is not var (sentence, isWarning)) return;
        if (!isWarning)
        {
            writer.Log.Changed(sentence);
            return;
        }
        writer.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "torn_file"));
        writer.Log.Warning(sentence);
    }
}

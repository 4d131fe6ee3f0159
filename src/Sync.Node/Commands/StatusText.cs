using System.Globalization;
using System.Text;
using Sync.Node.Commands.Validation;
using Sync.Node.Hosting;
using Sync.Node.Telemetry;

namespace Sync.Node.Commands;

/// <summary>A node's status for people.</summary>
static class StatusText
{
    /// <summary>All of it.</summary>
    public static string Of(NodeStatus status, DateTimeOffset now)
    {
        var text = new StringBuilder();
        void Row(string name, FormattableString value) =>
            text.Append(CultureInfo.InvariantCulture, $"{name,-13} {LineLogger.OneLine(value.ToString(CultureInfo.InvariantCulture))}\n");
        Row("state", $"{State(status)}");
        Row("version", $"{status.Version}, up {Span(now - status.StartedAt)}");
        Row("slot", $"{status.Slot}, publication {status.Publication}");
        Row("PostgreSQL", $"{(status.Postgres.Length > 0 ? status.Postgres : "not found yet")}");
        Row("Redis", $"{(status.Redis.Length > 0 ? status.Redis : "not found yet")}");
        if (status.Guarantee.Length > 0) Row("delivery", $"{status.Guarantee}");
        Row("positions", $"received {status.Lsn.Received}, applied {status.Lsn.Applied}, confirmed {status.Lsn.Confirmed}");
        if (status.History is { Change.Length: > 0, ChangedAt: { } changed } history) Row("history", $"{history.Change} ({Span(now - changed)} ago)");
        Row("lag", $"{status.LagMs:F1} ms, {PostgresChecks.Bytes(status.LagBytes)}");
        var rates = status.Rates;
        Row("rates", $"{rates.RowsPerSecond:N0} rows/s, {rates.CommandsPerSecond:N0} commands/s, {PostgresChecks.Bytes((long)rates.BytesPerSecond)}/s");
        Row("queue", $"{status.Queues.Rows:N0} rows in {status.Queues.Batches:N0} batches, {PostgresChecks.Bytes(status.Queues.Bytes)}");
        Row("retries", $"{status.Retries:N0}{(status.OpenCircuits > 0 ? $", {status.OpenCircuits} writers that Redis keeps refusing" : "")}");
        Row("dead letters", $"{status.DeadLetters:N0}{(status.DeadLetters > 0 ? ", see actorsync dlq list" : "")}");
        if (status.Snapshot is { } copy) Row("copying", $"{SnapshotBar.Line(copy, 200)}");
        foreach (var resync in status.Resyncs.Where(r => !r.IsOver)) Row("re-sync", $"{ResyncText.Line(resync)}");
        if (status.LastError.Length > 0) Row("last error", $"{status.LastError}");
        if (status.Tables.Count > 0) Tables(text, status);
        return text.ToString();
    }

    /// <summary>The most important in one line.</summary>
    public static string Line(NodeStatus status)
    {
        string lag = string.Create(CultureInfo.InvariantCulture, $"lag {status.LagMs:F1} ms {status.LagBytes} B");
        return LineLogger.OneLine(string.Create(CultureInfo.InvariantCulture,
            $"{State(status)}, applied {status.Lsn.Applied}, {lag}, {status.Rates.RowsPerSecond:F0} rows/s, {status.DeadLetters} dead letters"));
    }

    static string State(NodeStatus status) =>
        status.State.ToString().ToLowerInvariant() + (status.Detail.Length > 0 ? $": {status.Detail}" : "") + (status.Ready ? "" : " (not ready)");

    static void Tables(StringBuilder text, NodeStatus status)
    {
        int width = Math.Max(5, status.Tables.Max(t => LineLogger.OneLine(t.Table).Length));
        text.Append(CultureInfo.InvariantCulture, $"\n{"table".PadRight(width)} {"rows",14} {"skipped",12} {"parked",8}  last commit\n");
        foreach (var table in status.Tables)
        {
            string commit = table.LastCommit?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "-";
            string name = LineLogger.OneLine(table.Table).PadRight(width);
            text.Append(CultureInfo.InvariantCulture, $"{name} {table.Rows,14:N0} {table.Skipped,12:N0} {table.DeadLetters,8:N0}  {commit}");
            if (table.Error.Length > 0) text.Append(CultureInfo.InvariantCulture, $"  stopped: {LineLogger.OneLine(table.Error)}");
            if (table.Notice.Length > 0) text.Append(CultureInfo.InvariantCulture, $"  may be outdated: {LineLogger.OneLine(table.Notice)}");
            text.Append('\n');
        }
    }

    static string Span(TimeSpan time) => time switch
    {
        { TotalDays: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalDays} d {time.Hours} h"),
        { TotalHours: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Hours} h {time.Minutes} min"),
        { TotalMinutes: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.Minutes} min {time.Seconds} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, (int)time.TotalSeconds)} s"),
    };
}

using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;
using Sync.Contracts.Configuration.Sources;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>Builds the model from the merged tree.</summary>
static class ConfigBinder
{
    public static SyncConfig Bind(MapNode root, IReadOnlyList<TableEntry> entries, string source, BindContext context)
    {
        var defaults = new SyncConfig();
        var top = new SectionReader(root, "", root.Position, context);
        var tables = TableBinder.Bind(entries, context);
        if (entries.Count == 0 && top.Node("tables") is null or ListNode { Items.Count: 0 })
            context.Issues.Error(top.PositionOf("tables"), "'tables' must name at least one table");
        var postgres = ConnectionBinder.Postgres(top.Section("postgres"), context);
        var config = new SyncConfig
        {
            Source = source,
            Postgres = postgres,
            Redis = ConnectionBinder.Redis(top.Section("redis"), context) with { Tag = postgres.Repl.Slot },
            Snapshot = Snapshot(top.Section("snapshot"), entries, context),
            RetryPolicy = Retry(top.Section("retryPolicy"), context),
            Cluster = ClusterBinder.Cluster(top.Section("cluster"), context),
            Petabridge = ClusterBinder.Petabridge(top.Section("petabridge"), context),
            Http = Http(top.Section("http"), context),
            Telemetry = new TelemetryOptions { OtlpEndpoint = Endpoint(top.Section("telemetry"), context) },
            Tables = tables,
            FlushInterval = top.Duration("flushInterval", defaults.FlushInterval),
            FlushBufferSize = top.Integer("flushBufferSize", defaults.FlushBufferSize),
            FlushQueueDepth = top.Integer("flushQueueDepth", defaults.FlushQueueDepth),
            FlushWorkers = top.Integer("flushWorkers", defaults.FlushWorkers),
            MaxWriteQueueSize = top.IntegerOrNull("maxWriteQueueSize") is > 0 and var size ? size : null,
            Delivery = top.Choice("delivery", defaults.Delivery),
            OnRedisLoss = top.Choice("onRedisLoss", defaults.OnRedisLoss),
            RewindWindow = top.Duration("rewindWindow", defaults.RewindWindow),
            DeadLetters = new DeadLetterOptions { Max = top.Section("deadLetters").Integer("max", defaults.DeadLetters.Max) },
            WriteTimeout = top.Duration("writeTimeout", defaults.WriteTimeout),
            ShutdownTimeout = top.Duration("shutdownTimeout", defaults.ShutdownTimeout),
            StatsInterval = top.Duration("statsInterval", defaults.StatsInterval),
            Debug = top.Flag("debug", defaults.Debug),
        };
        ClusterCheck.Check(config, top, context);
        return config;
    }

    static RetryOptions Retry(SectionReader section, BindContext context)
    {
        var defaults = new RetryOptions();
        var retry = new RetryOptions
        {
            MaxRetries = section.Integer("maxRetries", defaults.MaxRetries),
            MaxConnectionRetries = section.Integer("maxConnectionRetries", defaults.MaxConnectionRetries),
            InitialBackoff = section.Duration("initialBackoff", defaults.InitialBackoff),
            Multiplier = section.Number("multiplier", defaults.Multiplier),
            Jitter = section.Number("jitter", defaults.Jitter),
            MaxBackoff = section.Duration("maxBackoff", defaults.MaxBackoff),
        };
        if (retry.MaxBackoff < retry.InitialBackoff)
            context.Issues.Warning(
                section.PositionOf(section.Has("maxBackoff") ? "maxBackoff" : "initialBackoff"),
                $"'retryPolicy.maxBackoff' ({DurationText.Format(retry.MaxBackoff)}) is shorter than 'initialBackoff' "
                + $"({DurationText.Format(retry.InitialBackoff)}), so every delay is cut to it.");
        return retry;
    }

    static HttpOptions Http(SectionReader section, BindContext context)
    {
        var defaults = new HttpOptions();
        return new HttpOptions
        {
            Enabled = section.Flag("enabled", defaults.Enabled),
            Host = AddressBinder.HostOnly(section, "http.host", mayBeAny: true, context) ?? defaults.Host,
            Port = section.Integer("port", defaults.Port),
        };
    }

    static Uri? Endpoint(SectionReader section, BindContext context)
    {
        if (section.Text("otlpEndpoint") is not { } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https") return address;
        // Not repeated: an address may hold a password.
        context.Issues.Error(section.PositionOf("otlpEndpoint"), $"'telemetry.otlpEndpoint' must be {ConfigKeys.At("telemetry.otlpEndpoint").Expectation}");
        return null;
    }

    static SnapshotOptions Snapshot(SectionReader section, IReadOnlyList<TableEntry> tables, BindContext context)
    {
        var defaults = new SnapshotOptions();
        return new SnapshotOptions
        {
            Mode = section.Choice("mode", defaults.Mode),
            BatchSize = section.Integer("batchSize", defaults.BatchSize),
            ParallelWorkers = section.Integer("parallelWorkers", defaults.ParallelWorkers),
            AbortOnError = section.Flag("abortOnError", defaults.AbortOnError),
            QueryTimeout = section.DurationOrNull("queryTimeout") is { Ticks: > 0 } timeout ? timeout : null,
            MaxWriteQueueSize = section.IntegerOrNull("maxWriteQueueSize") is > 0 and var size ? size : null,
            Config = SnapshotTables(section.Node("config"), tables, context),
        };
    }

    static List<SnapshotTable> SnapshotTables(ConfigNode? node, IReadOnlyList<TableEntry> tables, BindContext context)
    {
        var found = new List<SnapshotTable>();
        if (node is null) return found;
        if (node is not ListNode list)
        {
            context.Issues.Error(node.Position, $"'snapshot.config' must be a list, not {node.KindName}");
            return found;
        }
        foreach (var item in list.Items)
        {
            int before = context.Issues.ErrorCount;
            var entry = new SectionReader(item, "snapshot.config[]", item.Position, context);
            string text = entry.Required("name");
            var type = entry.Choice("type", entry.Has("query") ? SnapshotType.Query : SnapshotType.Full);
            string? query = entry.Text("query");
            if (type == SnapshotType.Query && query is null)
                context.Issues.Error(entry.PositionOf("type"), "'snapshot.config[].query' is required for type query");
            if (type == SnapshotType.Full && query is not null)
                context.Issues.Warning(entry.PositionOf("query"), "'snapshot.config[].query' is ignored because the type is full.");
            if (context.Issues.ErrorCount > before) continue;
            if (!TableName.TryParse(text, out var name) || tables.All(t => t.Name != name))
                context.Issues.Error(
                    entry.PositionOf("name"),
                    $"table '{Shown.Short(text)}' does not stand under 'tables'{Nearest.Hint(text, tables.Select(t => t.Name.ToString()))}");
            else if (found.Any(t => t.Schema == name.Schema && t.Name == name.Name))
                context.Issues.Error(entry.PositionOf("name"), $"table '{name}' stands in 'snapshot.config' twice");
            else
                found.Add(new SnapshotTable(name.Schema, name.Name, type == SnapshotType.Query ? query : null, item.Position));
        }
        return found;
    }

    enum SnapshotType { Full, Query }
}

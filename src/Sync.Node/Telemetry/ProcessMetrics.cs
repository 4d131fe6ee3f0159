using System.Diagnostics;
using Sync.Node.Hosting;

namespace Sync.Node.Telemetry;

/// <summary>What <c>/metrics</c> says besides the meter: the process itself, and the node's tables.</summary>
static class ProcessMetrics
{
    public static void Write(PrometheusText text)
    {
        using var process = Process.GetCurrentProcess();
        text.Metric("process_cpu_seconds_total", "counter", "CPU time of this process, user and system");
        text.Sample("process_cpu_seconds_total", "", process.TotalProcessorTime.TotalSeconds);
        text.Metric("process_resident_memory_bytes", "gauge", "Resident memory of this process");
        text.Sample("process_resident_memory_bytes", "", process.WorkingSet64);
        text.Metric("process_start_time_seconds", "gauge", "When this process was started, in seconds since 1970");
        text.Sample("process_start_time_seconds", "", new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1000.0);
        text.Metric("dotnet_gc_collections_total", "counter", "Garbage collections, by generation");
        for (int generation = 0; generation <= GC.MaxGeneration; generation++)
            text.Sample("dotnet_gc_collections_total", PrometheusText.Label("generation", $"{generation}"), GC.CollectionCount(generation));
        text.Metric("dotnet_gc_heap_bytes", "gauge", "Memory that the garbage collector manages");
        text.Sample("dotnet_gc_heap_bytes", "", GC.GetTotalMemory(forceFullCollection: false));
    }

    public static void Write(PrometheusText text, NodeStatus status)
    {
        text.Metric("actorsync_info", "gauge", "1, with the version as a label");
        text.Sample("actorsync_info", PrometheusText.Label("version", status.Version), 1);
        text.Metric("actorsync_state", "gauge", "1 for the state the node is in, 0 for the others");
        foreach (var state in Enum.GetValues<NodeState>())
            text.Sample("actorsync_state", PrometheusText.Label("state", state.ToString().ToLowerInvariant()), status.State == state ? 1 : 0);
        if (status.Tables.Count == 0) return;
        Tables(text, status, "actorsync_table_rows_total", "counter", "Row changes applied since the start, by table", t => t.Rows);
        Tables(text, status, "actorsync_table_skipped_total", "counter", "Row changes that asked for nothing or were already applied, by table", t => t.Skipped);
        Tables(text, status, "actorsync_table_dead_letters_total", "counter", "Row changes parked since the start, by table", t => t.DeadLetters);
        Tables(text, status, "actorsync_table_stopped", "gauge", "1 for a table that is stopped by an error", t => t.Error.Length > 0 ? 1 : 0);
        Tables(text, status, "actorsync_table_notice", "gauge", "1 for a table that may be outdated in Redis since a change of its schema", t => t.Notice.Length > 0 ? 1 : 0);
    }

    public static void Write(PrometheusText text, ClusterCounts counts)
    {
        Gauge("actorsync_cluster_members", "Full members of the cluster that this node knows of", counts.Up);
        Gauge("actorsync_cluster_members_unreachable", "Members that some node has not heard from for too long", counts.Unreachable);
        Gauge("actorsync_cluster_lanes", "Lanes that this node carries", counts.LanesHere);
        Gauge("actorsync_cluster_reader", "1 while this node reads the slot", counts.IsReader ? 1 : 0);
        void Gauge(string name, string help, double value)
        {
            text.Metric(name, "gauge", help);
            text.Sample(name, "", value);
        }
    }

    static void Tables(PrometheusText text, NodeStatus status, string name, string type, string help, Func<TableStatus, double> value)
    {
        text.Metric(name, type, help);
        foreach (var table in status.Tables) text.Sample(name, PrometheusText.Label("table", table.Table), value(table));
    }
}

using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;

namespace Sync.Node.Telemetry;

/// <summary>
/// Sends the node's instruments to an OpenTelemetry collector while it is alive, and what is left when it is disposed of.
/// A collector that can't be reached never holds the node up. How often, headers and time-outs are the standard's own variables
/// (OpenTelemetry docs, "OTLP Exporter Configuration"): <c>OTEL_METRIC_EXPORT_INTERVAL</c>, <c>OTEL_EXPORTER_OTLP_HEADERS</c> …
/// </summary>
public sealed class OtlpExport : IDisposable
{
    const int HttpPort = 4318;
    const string MetricsPath = "/v1/metrics";

    readonly MeterProvider provider;

    OtlpExport(MeterProvider provider) => this.provider = provider;

    /// <summary>Starts exporting; null when no endpoint is configured.</summary>
    /// <param name="options">Where to.</param>
    /// <param name="version">Of this program.</param>
    public static OtlpExport? Start(TelemetryOptions options, string version)
    {
        if (options.OtlpEndpoint is not { } endpoint) return null;
        string instance = $"{Environment.MachineName}:{Environment.ProcessId}";
        var provider = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(resource => resource.AddService("actorsync", serviceVersion: version, serviceInstanceId: instance))
            .AddMeter(SyncMetrics.MeterName)
            .AddMeter("System.Runtime")
            .AddOtlpExporter(exporter =>
            {
                exporter.Protocol = ProtocolOf(endpoint);
                exporter.Endpoint = exporter.Protocol == OtlpExportProtocol.HttpProtobuf ? WithPath(endpoint) : endpoint;
            })
            .Build();
        return new OtlpExport(provider);
    }

    /// <summary>The variable of the standard decides; without it, the standard's port for HTTP or a path mean HTTP, all else gRPC.</summary>
    static OtlpExportProtocol ProtocolOf(Uri endpoint) => Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_PROTOCOL") switch
    {
        "http/protobuf" => OtlpExportProtocol.HttpProtobuf,
        "grpc" => OtlpExportProtocol.Grpc,
        _ => endpoint.Port == HttpPort || endpoint.AbsolutePath.Length > 1 ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc,
    };

    static Uri WithPath(Uri endpoint) => endpoint.AbsolutePath.Length > 1 ? endpoint : new UriBuilder(endpoint) { Path = MetricsPath }.Uri;

    public void Dispose() => provider.Dispose();
}

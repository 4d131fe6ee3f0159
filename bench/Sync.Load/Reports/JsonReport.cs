using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sync.Load.Reports;

/// <summary>All figures as JSON, for whoever compares runs.</summary>
static class JsonReport
{
    static readonly JsonSerializerOptions options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static async Task WriteAsync(string file, LoadReport report) =>
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(report, options) + "\n");
}

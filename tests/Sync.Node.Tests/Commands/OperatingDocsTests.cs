using System.Text.RegularExpressions;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Node.Tests.Http;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary>docs/operating.md names everything there is.</summary>
public sealed class OperatingDocsTests
{
    static readonly string text = Repository.Read("docs/operating.md");

    [Fact]
    public void Every_exit_code_should_be_documented_by_number_and_name()
    {
        foreach (var code in Enum.GetValues<ExitCode>()) text.ShouldContain($"\n| {(int)code} | {code} | ");
    }

    [Fact]
    public async Task Every_metric_should_be_documented_and_every_documented_one_should_exist()
    {
        using var metrics = new SyncMetrics(() => new FakeNode().Status);
        await using var server = await RunningServer.StartAsync(node: new FakeClusterNode());
        // Histograms say nothing before their first value.
        metrics.CommitToApplied.Record(1);
        metrics.BatchRows.Record(1);
        var (_, body) = await server.GetAsync("/metrics");
        var written = body.Split('\n').Where(l => l.StartsWith("# TYPE ", StringComparison.Ordinal)).Select(l => l.Split(' ')[2]).Distinct().ToList();
        string table = text[text.IndexOf("## Metrics", StringComparison.Ordinal)..];
        table = table[..table.IndexOf("Worth an alert", StringComparison.Ordinal)];
        var documented = Regex.Matches(table, "`([a-z_]+)`").Select(m => m.Groups[1].Value);
        written.ShouldBe(documented, ignoreOrder: true);
    }

    [Fact]
    public void Every_command_should_be_documented()
    {
        foreach (string command in (string[])["run", "snapshot", "validate", "init", "status", "dlq list", "verify", "resync", "cluster status", "demo", "version"]) text.ShouldContain($"| `actorsync {command}`");
    }
}

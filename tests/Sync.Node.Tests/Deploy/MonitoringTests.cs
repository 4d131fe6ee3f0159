using System.Text.Json;
using System.Text.RegularExpressions;
using Sync.Node.Hosting;
using Sync.Node.Tests.Http;
using Sync.Testing;
using YamlDotNet.RepresentationModel;

namespace Sync.Node.Tests.Deploy;

/// <summary>Dashboard and alerts ask for what a node says.</summary>
public sealed class MonitoringTests
{
    const string Dashboard = "deploy/grafana/dashboards/actorsync.json";

    [Fact]
    public async Task Every_metric_asked_for_should_exist_with_its_labels()
    {
        var (names, labels) = await WrittenAsync();
        string[] questions = [.. Expressions(), .. Rules().Select(r => r.TextAt("expr"))];
        var asked = questions.SelectMany(q => Regex.Matches(q, @"\b(actorsync|process|dotnet)_[a-z_]+").Select(m => m.Value)).Distinct().ToList();
        asked.Count.ShouldBeGreaterThan(20);
        asked.ShouldBeSubsetOf(names);
        questions.SelectMany(q => Regex.Matches(q, @"\bby \(([a-z, ]+)\)").SelectMany(m => m.Groups[1].Value.Split(", "))).Distinct()
            .ShouldBeSubsetOf([.. labels, "job", "instance"]);
    }

    [Fact]
    public async Task Dashboard_should_show_every_metric_of_the_node()
    {
        var (names, _) = await WrittenAsync();
        string[] elsewhere = ["actorsync_table_skipped_total", "actorsync_table_dead_letters_total"];
        string all = string.Join('\n', Expressions());
        names.Where(n => n.StartsWith("actorsync_") && !Regex.IsMatch(n, "_(sum|count|bucket)$") && !elsewhere.Contains(n)).ShouldAllBe(n => all.Contains(n));
    }

    [Fact]
    public void Dashboard_should_use_the_source_that_is_provisioned_and_panels_should_not_overlap()
    {
        string source = DeployFiles.Document("deploy/grafana/provisioning/datasources/prometheus.yaml").TextAt("datasources/0/uid");
        using var dashboard = JsonDocument.Parse(Repository.Read(Dashboard));
        var taken = new HashSet<(int, int)>();
        foreach (var panel in dashboard.RootElement.GetProperty("panels").EnumerateArray())
        {
            panel.GetProperty("datasource").GetProperty("uid").GetString().ShouldBe(source);
            var place = panel.GetProperty("gridPos");
            int Of(string name) => place.GetProperty(name).GetInt32();
            (Of("x") + Of("w")).ShouldBeLessThanOrEqualTo(24);
            for (int x = 0; x < Of("w"); x++)
                for (int y = 0; y < Of("h"); y++) taken.Add((Of("x") + x, Of("y") + y)).ShouldBeTrue(panel.GetProperty("title").GetString());
        }
    }

    [Fact]
    public void Composition_should_scrape_every_node_and_mount_what_grafana_reads()
    {
        var compose = DeployFiles.Document(DeployFiles.Compose);
        var nodes = ((YamlMappingNode)compose["services"]).Children.Keys.Select(k => k.ToString()).Where(k => k.StartsWith("node"));
        DeployFiles.Document("deploy/prometheus/prometheus.yml").TextsAt("scrape_configs/0/static_configs/0/targets").ShouldBe(nodes.Select(n => $"{n}:7717"));
        string folder = DeployFiles.Document("deploy/grafana/provisioning/dashboards/actorsync.yaml").TextAt("providers/0/options/path");
        compose.TextsAt("services/grafana/volumes").ShouldContain($"./{Path.GetDirectoryName(Dashboard)}:{folder}:ro");
    }

    static async Task<(HashSet<string> Names, HashSet<string> Labels)> WrittenAsync()
    {
        using var metrics = new SyncMetrics(() => new FakeNode().Status);
        await using var server = await RunningServer.StartAsync();
        // What has several series, or none before its first value.
        metrics.CommitToApplied.Record(1);
        metrics.BatchRows.Record(1);
        metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "gap"));
        var (_, body) = await server.GetAsync("/metrics");
        var samples = body.Split('\n').Where(l => l.Length > 0 && l[0] != '#').ToList();
        return ([.. samples.Select(s => s.Split('{', ' ')[0])], [.. samples.SelectMany(s => Regex.Matches(s, "[{,]([a-z_]+)=\"").Select(m => m.Groups[1].Value))]);
    }

    static List<string> Expressions()
    {
        using var dashboard = JsonDocument.Parse(Repository.Read(Dashboard));
        return [.. dashboard.RootElement.GetProperty("panels").EnumerateArray()
            .SelectMany(p => p.GetProperty("targets").EnumerateArray()).Select(t => t.GetProperty("expr").GetString()!)];
    }

    static IEnumerable<YamlNode> Rules() => (YamlSequenceNode)DeployFiles.Document("deploy/prometheus/alerts.yml").At("groups/0/rules");
}

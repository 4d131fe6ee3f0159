using System.Text.RegularExpressions;
using Sync.Contracts.Configuration;
using Sync.Testing;
using YamlDotNet.RepresentationModel;

namespace Sync.Node.Tests.Deploy;

/// <summary>Image, composition and Kubernetes files say the same as the configurations they carry and as the program itself.</summary>
public sealed class ContainerTests
{
    const string StatefulSet = "deploy/k8s/statefulset.yaml";
    const string Pod = "spec/template/spec/";

    static readonly string image = Repository.Read("Dockerfile");
    static readonly YamlNode compose = DeployFiles.Document(DeployFiles.Compose);
    static readonly YamlNode set = DeployFiles.Document(StatefulSet);

    public static TheoryData<string> Files => [.. DeployFiles.Yaml];

    public static TheoryData<string> Nodes => ["node1", "node2", "node3"];

    [Theory]
    [MemberData(nameof(Files))]
    public void Yaml_should_be_one_document(string path) => DeployFiles.Document(path).ShouldBeOfType<YamlMappingNode>();

    [Fact]
    public void Image_should_expose_the_ports_a_node_listens_on_unless_told_otherwise() =>
        Regex.Match(image, "^EXPOSE (.*)$", RegexOptions.Multiline).Groups[1].Value.Split(' ').Select(int.Parse)
            .ShouldBe([new HttpOptions().Port, new ClusterOptions().Port]);

    [Fact]
    public void Image_should_get_every_project_the_node_is_made_of_and_nothing_this_machine_wrote()
    {
        var projects = Projects("src/Sync.Node/Sync.Node.csproj").Distinct().ToList();
        projects.Count.ShouldBeGreaterThan(4);
        foreach (string project in projects) image.ShouldContain($"\nCOPY {project} {Path.GetDirectoryName(project)}/\n");
        foreach (Match source in Regex.Matches(image, "^COPY (?!--from)(.*) [^ ]+$", RegexOptions.Multiline))
            foreach (string path in source.Groups[1].Value.Split(' ')) Path.Exists(Repository.PathOf(path)).ShouldBeTrue(path);
        string[] ignored = Repository.Read(".dockerignore").Split('\n');
        ignored.ShouldContain("*");
        ignored.ShouldContain("**/bin");
        ignored.ShouldContain("**/obj");
    }

    [Fact]
    public void Image_should_have_what_pbm_connects_to_unless_one_build_argument_leaves_it_out()
    {
        Projects("src/Sync.Node/Sync.Node.csproj").ShouldContain("src/Sync.Petabridge/Sync.Petabridge.csproj");
        image.ShouldContain("\nARG PetabridgeCmd=true\n");
        foreach (string step in (string[])["restore", "publish"])
            Regex.Match(image, $"^RUN dotnet {step} .*$", RegexOptions.Multiline).Value.ShouldContain(" -p:PetabridgeCmd=$PetabridgeCmd");
        foreach (string name in (string[])["node1", "node2", "node3"])
        {
            var build = compose.At($"services/{name}/build");
            build.TextAt("context").ShouldBe(".");
            ((YamlMappingNode)build["args"]).Children.ShouldHaveSingleItem().ToString().ShouldBe("[PetabridgeCmd, ${PetabridgeCmd:-true}]");
        }
    }

    [Fact]
    public void Image_should_not_run_as_root_and_should_ask_the_node_itself_how_it_is()
    {
        string user = Regex.Match(image, "^USER ([0-9]+)$", RegexOptions.Multiline).Groups[1].Value;
        user.ShouldNotBeOneOf("", "0");
        set.TextAt(Pod + "securityContext/runAsUser").ShouldBe(user);
        image.ShouldContain("CMD [\"/app/actorsync\", \"status\"]");
        image.ShouldEndWith("ENTRYPOINT [\"/app/actorsync\"]\nCMD [\"run\"]\n");
    }

    [Theory]
    [MemberData(nameof(Nodes))]
    public void Composition_should_configure_each_node(string name)
    {
        var node = compose.At($"services/{name}");
        var environment = ((YamlMappingNode)node["environment"]).Children.ToDictionary(e => ((YamlScalarNode)e.Key).Value!, e => ((YamlScalarNode)e.Value).Value!);
        var config = DeployFiles.Load("deploy/compose/config.yaml", environment);
        config.Cluster.Enabled.ShouldBeTrue();
        config.Cluster.Address.ToString().ShouldBe($"{name}:7719");
        config.Cluster.Seeds.Select(s => s.ToString()).ShouldBe(["node1:7719", "node2:7719", "node3:7719"]);
        config.Cluster.EffectiveDowning.ShouldBe(DowningStrategy.KeepMajority);
        TimeSpan.FromSeconds(int.Parse(node.TextAt("stop_grace_period").TrimEnd('s'))).ShouldBeGreaterThan(config.ShutdownTimeout);
        node.TextsAt("ports").Single().ShouldMatch($"^127\\.0\\.0\\.1:[0-9]+:{config.Http.Port}$");
        node.TextsAt("volumes").ShouldContain("./deploy/compose/config.yaml:/etc/actorsync/config.yaml:ro");
        var servers = new[] { config.Postgres.Conn.Hosts.Single().Host, config.Redis.Conn.Host };
        ((YamlMappingNode)node["depends_on"]).Children.Keys.Select(k => k.ToString()).ShouldBe(servers);
    }

    [Fact]
    public void Composition_should_publish_on_loopback_only_and_mount_what_is_there()
    {
        foreach (var (name, service) in ((YamlMappingNode)compose["services"]).Children)
        {
            service.TextsAt("ports").ShouldAllBe(p => p.StartsWith("127.0.0.1:"), name.ToString());
            foreach (string volume in service.TextsAt("volumes").Where(v => v.StartsWith("./")))
                Path.Exists(Repository.PathOf(volume[2..].Split(':')[0])).ShouldBeTrue(volume);
        }
        compose.TextsAt("services/postgres/command").ShouldContain("wal_level=logical");
        compose.TextAt("services/redis/command/2").ShouldContain("--appendonly yes");
    }

    [Fact]
    public void Files_should_hold_no_password()
    {
        foreach (string path in DeployFiles.Yaml)
            foreach (Match found in Regex.Matches(Repository.Read(path), "(?mi)^[^#\n]*password[a-z_]*\"?: +(?<value>.+)$"))
                found.Groups["value"].Value.ShouldStartWith("${", customMessage: $"{path}: {found.Value}");
        foreach (string config in (string[])["deploy/compose/config.yaml", "deploy/k8s/config.yaml"]) Repository.Read(config).ShouldNotContain("password:");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(5)]
    public void Pods_should_be_found_by_the_names_the_seeds_have(int pod)
    {
        var container = set.At(Pod + "containers/0");
        var config = DeployFiles.Load("deploy/k8s/config.yaml", new Dictionary<string, string>
        {
            ["ACTORSYNC_CLUSTER_PUBLICHOST"] = Variable(container, "ACTORSYNC_CLUSTER_PUBLICHOST").TextAt("value").Replace("$(POD_NAME)", $"{set.TextAt("metadata/name")}-{pod}"),
        });
        string service = set.TextAt("spec/serviceName");
        config.Cluster.Address.ToString().ShouldBe($"actorsync-{pod}.{service}:7719");
        config.Cluster.Seeds.Select(s => s.ToString()).ShouldBe(Enumerable.Range(0, int.Parse(set.TextAt("spec/replicas"))).Select(i => $"actorsync-{i}.{service}:7719"));
        config.Cluster.Tls.ShouldNotBeNull();
        int.Parse(set.TextAt(Pod + "terminationGracePeriodSeconds")).ShouldBeGreaterThan((int)config.ShutdownTimeout.TotalSeconds);
    }

    [Fact]
    public void Kubernetes_files_should_agree_on_names_ports_and_labels()
    {
        var config = DeployFiles.Load("deploy/k8s/config.yaml", new Dictionary<string, string> { ["ACTORSYNC_CLUSTER_PUBLICHOST"] = "n" });
        var service = DeployFiles.Document("deploy/k8s/service.yaml");
        var policy = DeployFiles.Document("deploy/k8s/networkpolicy.yaml");
        var ports = ((YamlSequenceNode)set.At(Pod + "containers/0/ports")).ToDictionary(p => p.TextAt("name"), p => int.Parse(p.TextAt("containerPort")));
        ports.ShouldBe(new Dictionary<string, int> { ["http"] = config.Http.Port, ["cluster"] = config.Cluster.Port });
        ((YamlSequenceNode)service.At("spec/ports")).ToDictionary(p => p.TextAt("targetPort"), p => int.Parse(p.TextAt("port"))).ShouldBe(ports, ignoreOrder: true);
        ((YamlScalarNode)set.At("spec/template/metadata/annotations")["prometheus.io/port"]).Value.ShouldBe($"{config.Http.Port}");
        service.TextAt("metadata/name").ShouldBe(set.TextAt("spec/serviceName"));
        service.TextAt("spec/clusterIP").ShouldBe("None");
        string label = set.At("spec/template/metadata/labels").ToString();
        foreach (var selector in (YamlNode[])[
            set.At("spec/selector/matchLabels"), service.At("spec/selector"), policy.At("spec/podSelector/matchLabels"),
            DeployFiles.Document("deploy/k8s/poddisruptionbudget.yaml").At("spec/selector/matchLabels")])
            selector.ToString().ShouldBe(label);
    }

    [Fact]
    public void Pod_should_have_probes_that_exist_and_no_variables_of_services()
    {
        string endpoints = Repository.Read("docs/operating.md");
        foreach (string probe in (string[])["startupProbe", "livenessProbe", "readinessProbe"])
            endpoints.ShouldContain($"| `GET {set.TextAt($"{Pod}containers/0/{probe}/httpGet/path")}` |");
        // ACTORSYNC_HTTP_PORT is a setting, and also what Kubernetes would call the port of a service "actorsync-http".
        set.TextAt(Pod + "enableServiceLinks").ShouldBe("false");
        set.At(Pod + "containers/0").Has("command").ShouldBeFalse();
    }

    static YamlNode Variable(YamlNode container, string name) => ((YamlSequenceNode)container["env"]).Single(v => v.TextAt("name") == name);

    static IEnumerable<string> Projects(string project)
    {
        string folder = Path.GetDirectoryName(project)!;
        return Regex.Matches(Repository.Read(project), "ProjectReference Include=\"([^\"]+)\"")
            .Select(m => Path.GetRelativePath(Repository.Root, Path.GetFullPath(m.Groups[1].Value, Repository.PathOf(folder))))
            .SelectMany(Projects).Prepend(project);
    }
}

using Sync.Contracts.Configuration;
using Sync.Testing;
using YamlDotNet.RepresentationModel;

namespace Sync.Node.Tests.Deploy;

/// <summary>Reads what lies in deploy/ and beside it.</summary>
static class DeployFiles
{
    public const string Compose = "docker-compose.cluster.yml";

    /// <summary>Every YAML file, from the repository's root.</summary>
    public static IEnumerable<string> Yaml { get; } =
    [
        Compose,
        .. Directory.EnumerateFiles(Repository.PathOf("deploy"), "*", SearchOption.AllDirectories)
            .Where(f => Path.GetExtension(f) is ".yml" or ".yaml").Select(f => Path.GetRelativePath(Repository.Root, f)).Order(StringComparer.Ordinal),
    ];

    /// <summary>The only document of a file.</summary>
    public static YamlNode Document(string path)
    {
        var stream = new YamlStream();
        stream.Load(new YamlDotNet.Core.MergingParser(new YamlDotNet.Core.Parser(new StringReader(Repository.Read(path)))));
        return stream.Documents.ShouldHaveSingleItem(path).RootNode;
    }

    /// <summary>The node at a path of keys and indexes, such as <c>spec/containers/0/image</c>.</summary>
    public static YamlNode At(this YamlNode node, string path) =>
        path.Split('/').Aggregate(node, (at, key) => at is YamlSequenceNode list ? list[int.Parse(key, System.Globalization.CultureInfo.InvariantCulture)] : at[key]);

    public static string TextAt(this YamlNode node, string path) => ((YamlScalarNode)node.At(path)).Value!;

    public static IEnumerable<string> TextsAt(this YamlNode node, string path) => ((YamlSequenceNode)node.At(path)).Select(n => ((YamlScalarNode)n).Value!);

    public static bool Has(this YamlNode node, string key) => ((YamlMappingNode)node).Children.ContainsKey(key);

    /// <summary>Loads a configuration as a node would, with these variables; it must have neither errors nor warnings.</summary>
    public static SyncConfig Load(string path, IReadOnlyDictionary<string, string> environment)
    {
        var result = ConfigLoader.TryLoad(Repository.PathOf(path), environment, "/");
        result.Errors.Concat(result.Warnings).Select(i => i.ToString()).ShouldBeEmpty();
        return result.Config!;
    }
}

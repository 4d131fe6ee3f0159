using System.Xml.Linq;
using Sync.Actors.Inspection;
using Sync.Testing;

namespace Sync.Petabridge.Tests;

/// <summary>The project of the plug-in is built only when it is asked for, and then with the packages that <c>Declarations/</c> stand for.</summary>
public sealed class ProjectTests
{
    static readonly XDocument plugin = XDocument.Parse(Repository.Read("src/Sync.Petabridge/Sync.Petabridge.csproj"));

    [Fact]
    public void Plugin_should_reference_the_packages_that_are_declared_here()
    {
        string[] packages = [.. Included(plugin, "PackageReference")];
        packages.ShouldBe(
            typeof(ProjectTests).Assembly.GetExportedTypes().Select(t => t.Namespace!).Where(n => n.StartsWith("Petabridge.Cmd.", StringComparison.Ordinal)).Distinct(), ignoreOrder: true);
        var pinned = XDocument.Parse(Repository.Read("Directory.Packages.props")).Descendants("PackageVersion").ToDictionary(p => p.Attribute("Include")!.Value, p => p.Attribute("Version")!.Value);
        packages.Select(p => pinned[p]).Distinct().ShouldHaveSingleItem("the packages of Petabridge.Cmd are released together");
    }

    [Fact]
    public void Node_should_reference_the_plugin_only_where_PetabridgeCmd_is_true()
    {
        var node = XDocument.Parse(Repository.Read("src/Sync.Node/Sync.Node.csproj"));
        var reference = node.Descendants("ProjectReference").Single(r => r.Attribute("Include")!.Value.EndsWith("Sync.Petabridge.csproj", StringComparison.Ordinal));
        reference.Parent!.Attribute("Condition")!.Value.ShouldBe("'$(PetabridgeCmd)' == 'true'");
        Repository.Read("ActorSync.sln").ShouldNotContain(@"src\Sync.Petabridge\");
    }

    [Fact]
    public void Loader_should_look_for_the_name_that_the_project_and_the_class_have()
    {
        File.Exists(Repository.PathOf($"src/{PetabridgeLoader.AssemblyName}/{PetabridgeLoader.AssemblyName}.csproj")).ShouldBeTrue();
        plugin.Descendants("AssemblyName").ShouldBeEmpty("then the assembly is called as the project");
        PetabridgeLoader.TypeName.ShouldBe(typeof(PetabridgePlugin).FullName);
    }

    static IEnumerable<string> Included(XDocument project, string item) => project.Descendants(item).Select(i => i.Attribute("Include")!.Value);
}

namespace Sync.Node.Demo;

/// <summary>The files of examples/shop, carried inside this program.</summary>
static class ShopFiles
{
    public static string Read(string name)
    {
        using var stream = typeof(ShopFiles).Assembly.GetManifestResourceStream("shop/" + name)
            ?? throw new InvalidOperationException($"The build left out examples/shop/{name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>The shop's web program as built beside this one in the source tree, or null where there is none.</summary>
    public static string? FindApi()
    {
        // …/src/Sync.Node/bin/<configuration>/net10.0/ has the root five folders above it.
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        string framework = folder.Name, configuration = folder.Parent?.Name ?? "";
        for (var root = folder; root is not null; root = root.Parent)
        {
            string dll = Path.Combine(root.FullName, "examples", "shop", "Shop.Api", "bin", configuration, framework, "Shop.Api.dll");
            if (File.Exists(dll)) return dll;
        }
        return null;
    }
}

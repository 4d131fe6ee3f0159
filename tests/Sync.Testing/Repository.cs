namespace Sync.Testing;

/// <summary>The files the tests stand among.</summary>
public static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <param name="path">From the root, with slashes.</param>
    public static string PathOf(string path) => Path.Combine(Root, path);

    public static string Read(string path) => File.ReadAllText(PathOf(path));

    static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ActorSync.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests run inside the repository.");
    }
}

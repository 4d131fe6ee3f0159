namespace Sync.Load;

/// <summary>Where this program's sources are: it is built below them, in bench/Sync.Load/bin/Release/net10.0.</summary>
static class Repository
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../.."));

    /// <summary>A file or folder of the repository.</summary>
    public static string At(params string[] parts) => Path.Combine([Root, .. parts]);
}

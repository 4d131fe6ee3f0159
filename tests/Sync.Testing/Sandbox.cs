namespace Sync.Testing;

/// <summary>A temporary folder that goes away with the test.</summary>
public sealed class Sandbox : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("actorsync-test-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        try { Directory.Delete(Path, recursive: true); }
        catch (IOException) { /* a server may still be closing a file; the system cleans its temporary folder */ }
        catch (UnauthorizedAccessException) { }
    }
}

using System.Diagnostics;

namespace Sync.Testing;

/// <summary>Runs PostgreSQL's programs. They refuse to work as root, so that root runs them as the user "postgres".</summary>
public static class PostgresTools
{
    static readonly bool isRoot = Environment.UserName == "root";

    public static async Task RunAsync(string program, string folder, params string[] arguments)
    {
        if (isRoot) await RunPlainAsync("setpriv", folder, ["--reuid=postgres", "--regid=postgres", "--init-groups", program, .. arguments]);
        else await RunPlainAsync(program, folder, arguments);
    }

    /// <summary>Copies a data directory with owner and modes.</summary>
    public static Task CopyAsync(string from, string to) => RunPlainAsync("cp", "/", ["-a", "--reflink=auto", from, to]);

    public static Task GiveToPostgresAsync(string path) => isRoot ? RunPlainAsync("chown", "/", ["-R", "postgres:", path]) : Task.CompletedTask;

    public static void DeleteFolder(string folder)
    {
        try { Directory.Delete(folder, recursive: true); }
        catch (IOException) { /* a backend may still be closing a file; the system cleans its temporary folder */ }
        catch (UnauthorizedAccessException) { }
    }

    static async Task RunPlainAsync(string program, string folder, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{Path.GetFileName(program)} {string.Join(' ', arguments)} failed: {errors.Trim()} {(await output).Trim()}");
    }
}

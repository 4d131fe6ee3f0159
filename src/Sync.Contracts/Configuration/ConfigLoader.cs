using Sync.Contracts.Configuration.Binding;
using Sync.Contracts.Configuration.Nodes;
using Sync.Contracts.Configuration.Sources;

namespace Sync.Contracts.Configuration;

/// <summary>
/// Finds, reads and checks the configuration. In this order, the later beats the earlier: the model's defaults, the YAML file,
/// variables of the dotenv file that <c>ENV_FILE</c> names, the environment; there, <c>ACTORSYNC_…</c> beats <c>PG2REDIS_…</c>.
/// The grammar is docs/configuration.md.
/// </summary>
public static class ConfigLoader
{
    const string EnvironmentSource = "environment";
    const long LargestFile = 16 * 1024 * 1024;

    /// <summary>How many errors one message lists.</summary>
    const int MostErrorsShown = 50;

    static readonly string[] DefaultPaths = ["config.yaml", "/etc/actorsync/config.yaml", "/etc/pg2redis/config.yaml"];

    /// <summary>Loads the configuration or says all that is wrong with it.</summary>
    /// <param name="explicitPath">The file named on the command line; null to look in the usual places.</param>
    /// <param name="environment">The process's environment.</param>
    /// <param name="workingDirectory">An absolute path; relative ones start here.</param>
    /// <param name="readFile">Gives the text at an absolute path, null when there is no file; by default reads the disk.</param>
    /// <exception cref="SyncException">Code <see cref="ExitCode.Configuration"/>; one line for every error.</exception>
    public static SyncConfig Load(
        string? explicitPath, IReadOnlyDictionary<string, string> environment, string workingDirectory, Func<string, string?>? readFile = null)
    {
        var result = TryLoad(explicitPath, environment, workingDirectory, readFile);
        if (result.Config is { } config) return config;
        var lines = result.Errors.Take(MostErrorsShown).Select(e => e.ToString());
        if (result.Errors.Count > MostErrorsShown) lines = lines.Append($"… and {result.Errors.Count - MostErrorsShown} more errors");
        throw new SyncException(ExitCode.Configuration, string.Join('\n', lines));
    }

    /// <summary>As <see cref="Load"/>, but gives errors and warnings as a list.</summary>
    public static ConfigLoadResult TryLoad(
        string? explicitPath, IReadOnlyDictionary<string, string> environment, string workingDirectory, Func<string, string?>? readFile = null)
    {
        var issues = new IssueList();
        var files = new FilePort(workingDirectory, readFile ?? FromDisk, issues);
        environment = WithDotEnv(environment, files, issues);
        var variables = EnvironmentLayer.Collect(environment, issues);

        var (path, text) = FindFile(explicitPath, environment, files, issues);
        string source = path ?? EnvironmentSource;
        if (issues.HasErrors) return issues.ToResult(null);
        if (path is null && variables.Count == 0)
        {
            issues.Error(
                new SourcePosition(EnvironmentSource),
                $"there is no configuration: name a file with --config, set {EnvironmentLayer.Prefix}… variables, "
                + $"or create one of {string.Join(", ", DefaultPaths)}");
            return issues.ToResult(null);
        }

        var root = text is null ? new MapNode(new SourcePosition(source), []) : YamlReader.Read(text, source, issues);
        if (root is null) return issues.ToResult(null);
        root = EnvironmentLayer.Apply(root, variables, issues);
        var tables = TableEntry.ReadAll(root.Find("tables")?.Value, issues);
        TableVariables.Apply(tables, variables, issues);
        string folder = path is null ? workingDirectory : Path.GetDirectoryName(files.Absolute(path)) ?? workingDirectory;
        return issues.ToResult(ConfigBinder.Bind(root, tables, source, new BindContext(issues, folder, workingDirectory)));
    }

    static IReadOnlyDictionary<string, string> WithDotEnv(IReadOnlyDictionary<string, string> environment, FilePort files, IssueList issues)
    {
        if (!environment.TryGetValue("ENV_FILE", out string? path) || path.Length == 0) return environment;
        string? text = files.Read(path, new SourcePosition("ENV_FILE"), mustExist: true);
        if (text is null) return environment;
        var merged = new Dictionary<string, string>(DotEnvFile.Read(text, path, issues));
        foreach (var (name, value) in environment) merged[name] = value;
        return merged;
    }

    static (string? Path, string? Text) FindFile(string? explicitPath, IReadOnlyDictionary<string, string> environment, FilePort files, IssueList issues)
    {
        if (explicitPath is not null) return (explicitPath, files.Read(explicitPath, new SourcePosition("--config"), mustExist: true));
        if (EnvironmentLayer.ConfigPath(environment) is { } named)
            return (named.Path, files.Read(named.Path, new SourcePosition(named.Variable), mustExist: true));
        foreach (string candidate in DefaultPaths)
        {
            string? text = files.Read(candidate, new SourcePosition(candidate), mustExist: false);
            if (text is not null || issues.HasErrors) return (candidate, text);
        }
        return (null, null);
    }

    static string? FromDisk(string path)
    {
        var file = new FileInfo(path);
        if (Directory.Exists(path)) throw new IOException("it is a folder");
        if (!file.Exists) return null;
        if (file.Length > LargestFile) throw new IOException($"it is larger than {LargestFile / 1024 / 1024} MB");
        return File.ReadAllText(path);
    }

    /// <summary>Reads files and turns what can go wrong into issues.</summary>
    sealed class FilePort(string workingDirectory, Func<string, string?> read, IssueList issues)
    {
        public string Absolute(string path) => Path.GetFullPath(path, workingDirectory);

        public string? Read(string path, SourcePosition namedBy, bool mustExist)
        {
            try
            {
                if (path.Length > 0 && !path.Contains('\0') && read(Absolute(path)) is { } text) return text;
                if (mustExist) issues.Error(namedBy, $"the file '{Shown.Short(path)}' does not exist; name an existing one");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                issues.Error(namedBy, $"the file '{path}' can't be read: {e.Message.TrimEnd('.')}");
            }
            return null;
        }
    }
}

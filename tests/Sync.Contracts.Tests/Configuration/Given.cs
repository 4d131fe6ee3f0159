using Sync.Contracts.Configuration;

namespace Sync.Contracts.Tests.Configuration;

/// <summary>Configurations from text, without a disk.</summary>
static class Given
{
    /// <summary>The keys that every configuration needs, in six lines; what a test is about follows from line 7.</summary>
    public const string Head = """
        postgres:
          repl:
            pub: shop
            slot: shop
        redis:
          conn: {host: localhost}

        """;

    public const string Table = "tables:\n  - public.orders\n";

    public static readonly IReadOnlyDictionary<string, string> NoEnvironment = new Dictionary<string, string>();

    public static Dictionary<string, string> Environment(params (string Name, string Value)[] variables) =>
        variables.ToDictionary(v => v.Name, v => v.Value);

    public static ConfigLoadResult Try(string yaml, params (string Name, string Value)[] environment) =>
        ConfigLoader.TryLoad("config.yaml", Environment(environment), "/work", path => path == "/work/config.yaml" ? yaml : null);

    public static SyncConfig Config(string yaml, params (string Name, string Value)[] environment)
    {
        var result = Try(yaml, environment);
        result.Errors.Select(e => e.ToString()).ShouldBeEmpty();
        return result.Config.ShouldNotBeNull();
    }

    /// <summary>All errors, one a line.</summary>
    public static string Errors(string yaml, params (string Name, string Value)[] environment)
    {
        var result = Try(yaml, environment);
        result.Config.ShouldBeNull();
        return string.Join('\n', result.Errors);
    }

    /// <summary>The only table of a file whose table has this body, which is indented here.</summary>
    public static TableConfig TableWith(string body, params (string Name, string Value)[] environment) =>
        Config(FileWithTable(body), environment).Tables.ShouldHaveSingleItem();

    /// <summary>The body's first line is line 9 of the file and its text begins in column 7.</summary>
    public static string FileWithTable(string body) =>
        Head + "tables:\n  - orders:\n" + string.Concat(body.ReplaceLineEndings("\n").Split('\n').Select(line => $"      {line}\n"));

    public static string TableErrors(string body) => Errors(FileWithTable(body));

    public static string RepositoryFile(string path)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ActorSync.sln"))) folder = folder.Parent;
        return Path.Combine(folder.ShouldNotBeNull("the tests run inside the repository").FullName, path);
    }
}

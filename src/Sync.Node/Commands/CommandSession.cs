using System.Collections;
using System.CommandLine;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Node.Commands;

/// <summary>What all commands of one call share: where they read the configuration from and write to.</summary>
sealed class CommandSession(IReadOnlyDictionary<string, string> environment, string workingDirectory, TextWriter output, TextWriter error)
{
    static readonly string[] truths = ["true", "1", "yes", "on"];

    SyncConfig? loaded;

    public IReadOnlyDictionary<string, string> Environment { get; } = environment;
    public string WorkingDirectory { get; } = workingDirectory;

    /// <summary>What was asked for.</summary>
    public TextWriter Out { get; } = output;

    /// <summary>What went wrong.</summary>
    public TextWriter Error { get; } = error;
    public TimeProvider Time { get; } = TimeProvider.System;

    public Option<string?> ConfigOption { get; } = new("--config", "-c")
    {
        Description = "The configuration file; without it ACTORSYNC_CONFIG_PATH, ./config.yaml, /etc/actorsync/config.yaml.",
        HelpName = "FILE",
        Recursive = true,
    };

    /// <summary>Whether stack traces are wanted.</summary>
    public bool IsDebug => loaded?.Debug == true
        || new[] { "ACTORSYNC_DEBUG", "PG2REDIS_DEBUG" }.Any(name => truths.Contains(Environment.GetValueOrDefault(name), StringComparer.OrdinalIgnoreCase));

    public static CommandSession OfThisProcess()
    {
        var variables = System.Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(v => (string)v.Key, v => (string?)v.Value ?? "", StringComparer.Ordinal);
        return new CommandSession(variables, Directory.GetCurrentDirectory(), Console.Out, Console.Error);
    }

    /// <summary>One line on stderr, with the program's name as is custom.</summary>
    public void Say(string line) => Error.WriteLine($"actorsync: {line}");

    /// <summary>For whom PostgreSQL makes the command wait; an empty text when that is over.</summary>
    public void Waiting(string forWhom)
    {
        if (forWhom.Length > 0) Say(forWhom);
    }

    /// <exception cref="SyncException">All that is wrong with it, a line each.</exception>
    public (SyncConfig Config, IReadOnlyList<ConfigIssue> Warnings) Load(ParseResult parsed) => Load(parsed, new Dictionary<string, string>());

    /// <summary>The same with settings that the command line makes, named as variables are.</summary>
    public (SyncConfig Config, IReadOnlyList<ConfigIssue> Warnings) Load(ParseResult parsed, IReadOnlyDictionary<string, string> settings)
    {
        string? path = parsed.GetValue(ConfigOption);
        var environment = settings.Count == 0 ? Environment : new Dictionary<string, string>(Environment.Where(v => !settings.ContainsKey(v.Key)).Concat(settings));
        var result = ConfigLoader.TryLoad(path, environment, WorkingDirectory);
        loaded = result.Config ?? ConfigLoader.Load(path, environment, WorkingDirectory);
        return (loaded, result.Warnings);
    }

    /// <summary>The same for a cluster of nodes.</summary>
    public static SyncException NotAmongNodes(SyncConfig config, string command) => new(ExitCode.Configuration,
        $"{config.Source}: actorsync {command} does not work in a cluster of nodes (cluster.enabled) yet; stop the cluster and set it to false for it.");

    /// <summary>What a Redis Cluster can't do yet is refused, not ignored.</summary>
    public static SyncException NotInCluster(SyncConfig config, string command) => new(ExitCode.RedisUnsuitable,
        $"{config.Source}: actorsync {command} does not work with a Redis Cluster (redis.nodes) yet; actorsync snapshot --table T copies a table again.");
}

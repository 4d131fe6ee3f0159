namespace Sync.Contracts.Configuration;

/// <summary>One thing that is wrong, or worth a warning, in a configuration. Never holds a secret.</summary>
/// <param name="Position">The file with line and column, or the environment variable.</param>
/// <param name="Message">What is wrong and what would be right.</param>
public sealed record ConfigIssue(SourcePosition Position, string Message)
{
    /// <summary>The form editors and terminals can jump to: <c>config.yaml:12:3: message</c>.</summary>
    public override string ToString() => $"{Position}: {Message}";
}

/// <summary>What <see cref="ConfigLoader.TryLoad"/> found.</summary>
/// <param name="Config">The configuration; null when there is any error.</param>
/// <param name="Errors">All of them, by position within each source.</param>
/// <param name="Warnings">What works but is probably not meant.</param>
public sealed record ConfigLoadResult(SyncConfig? Config, IReadOnlyList<ConfigIssue> Errors, IReadOnlyList<ConfigIssue> Warnings);

/// <summary>
/// Collects issues while reading goes on, so that one run shows all of them. Equal ones are kept once: an anchor that is
/// used five times is still one mistake.
/// </summary>
sealed class IssueList
{
    readonly List<ConfigIssue> errors = [];
    readonly List<ConfigIssue> warnings = [];
    readonly HashSet<ConfigIssue> seen = [];

    public bool HasErrors => errors.Count > 0;

    /// <summary>For whoever wants to know whether a part just read was sound.</summary>
    public int ErrorCount => errors.Count;

    public void Error(SourcePosition position, string message) => Add(errors, new ConfigIssue(position, message));

    public void Warning(SourcePosition position, string message) => Add(warnings, new ConfigIssue(position, message));

    public ConfigLoadResult ToResult(SyncConfig? config) => new(HasErrors ? null : config, Sorted(errors), Sorted(warnings));

    void Add(List<ConfigIssue> list, ConfigIssue issue)
    {
        if (seen.Add(issue)) list.Add(issue);
    }

    static List<ConfigIssue> Sorted(List<ConfigIssue> list) =>
        [.. list.OrderBy(i => i.Position.Line == 0).ThenBy(i => i.Position.Line).ThenBy(i => i.Position.Column)];
}

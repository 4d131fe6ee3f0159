using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Engine.Mapping;

public enum IssueLevel { Warning, Error }

/// <summary>Something about a table's mapping that a user should know; one sentence without a final full stop.</summary>
/// <param name="Level">How bad it is.</param>
/// <param name="Position">Where in the configuration.</param>
/// <param name="Message">The sentence.</param>
/// <param name="Code">The class of an error: the file itself is wrong, or the table lacks what the file names.</param>
public readonly record struct MappingIssue(IssueLevel Level, SourcePosition Position, string Message, ExitCode Code = ExitCode.Configuration)
{
    public override string ToString() => $"{Position}: {Message}";
}

/// <param name="NumericMode">How real, double precision and numeric look in JSON.</param>
/// <param name="CommitTimeColumn">Name under which the <c>*</c> forms carry the commit time; null for none.</param>
public sealed record MappingOptions(NumericMode NumericMode = NumericMode.Float, string? CommitTimeColumn = null);

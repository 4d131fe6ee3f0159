using Sync.Contracts.Configuration;

namespace Sync.Engine.Mapping;

public enum IssueLevel { Warning, Error }

/// <summary>Something about a table's mapping that a user should know; one sentence without a final full stop.</summary>
public readonly record struct MappingIssue(IssueLevel Level, SourcePosition Position, string Message)
{
    public override string ToString() => $"{Position}: {Message}";
}

/// <param name="NumericMode">How real, double precision and numeric look in JSON.</param>
/// <param name="CommitTimeColumn">Name under which the <c>*</c> forms carry the commit time; null for none.</param>
public sealed record MappingOptions(NumericMode NumericMode = NumericMode.Float, string? CommitTimeColumn = null);

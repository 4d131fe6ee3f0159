namespace Sync.Contracts.Configuration;

/// <summary>Where something was said: a file with line and column (both from 1), or an environment variable.</summary>
public readonly record struct SourcePosition(string Source, int Line = 0, int Column = 0)
{
    public override string ToString() => Line > 0 ? $"{Source}:{Line}:{Column}" : Source;
}

/// <summary>One entry under <c>tables</c>.</summary>
public sealed record TableConfig
{
    public required string Schema { get; init; }
    public required string Name { get; init; }
    public required SourcePosition Position { get; init; }
    public string FullName => $"{Schema}.{Name}";

    /// <summary>
    /// Commands for every operation that has none of its own; null when there are none. Without these and without any per
    /// operation, the default command applies. Never empty.
    /// </summary>
    public IReadOnlyList<CommandRule>? Commands { get; init; }

    /// <summary>Commands of one operation; null when the operation is not named, empty when it shall do nothing.</summary>
    public IReadOnlyList<CommandRule>? Insert { get; init; }
    public IReadOnlyList<CommandRule>? Update { get; init; }
    public IReadOnlyList<CommandRule>? Delete { get; init; }
    public TruncateConfig Truncate { get; init; } = new(TruncateMode.Unset, []);

    /// <summary>Life of every key written; null for ever. Over 0, whole milliseconds.</summary>
    public TimeSpan? Ttl { get; init; }

    /// <summary>How much longer than <see cref="Ttl"/> a key may live, spread over keys, so that they don't end at once.</summary>
    public TimeSpan TtlJitter { get; init; }

    /// <summary>Template of the ordering key; null means the row's identity.</summary>
    public string? Key { get; init; }

    /// <summary>Templates of sets that list the keys written, for group invalidation.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    public TableAction Action { get; init; } = TableAction.Write;
    public ColumnFilter Columns { get; init; } = new();

    /// <summary>Rows for which nothing is done unless this holds.</summary>
    public Condition? When { get; init; }

    /// <summary>
    /// Whether the table may be added to a publication although PostgreSQL then refuses every UPDATE and DELETE on it, because it has no replica identity. Default false.
    /// </summary>
    public bool PublishWithoutIdentity { get; init; }

    /// <summary>What becomes of a <c>{diff:column}</c> whose old value PostgreSQL did not send. Default count.</summary>
    public UnknownOldValue OnUnknownOldValue { get; init; }

    /// <summary>Whether commands were given per operation.</summary>
    public bool IsPerOperation => Insert is not null || Update is not null || Delete is not null;
}

/// <summary>Write: run the commands. Invalidate: delete the keys the commands would write.</summary>
public enum TableAction { Write, Invalidate }

/// <summary>Count: it is taken for 0, and counted as a warning. Park: the row goes to the dead letters.</summary>
public enum UnknownOldValue { Count, Park }

public enum TruncateMode { Unset, Commands, Resync, Ignore }

public sealed record TruncateConfig(TruncateMode Mode, IReadOnlyList<CommandRule> Commands);

/// <summary>What the <c>*</c> forms see. <paramref name="Include"/> null means all; exclude wins; rename maps column to field.</summary>
public sealed record ColumnFilter(
    IReadOnlyList<string>? Include = null, IReadOnlyList<string>? Exclude = null, IReadOnlyDictionary<string, string>? Rename = null);

/// <summary>One or more commands that run together when the condition, if any, holds.</summary>
public sealed record CommandRule(IReadOnlyList<CommandTemplate> Commands, Condition? Condition, SourcePosition Position);

/// <summary>A command: its name in upper case, then its argument templates as written.</summary>
public sealed record CommandTemplate(IReadOnlyList<string> Arguments, SourcePosition Position);

/// <summary>A test on a row.</summary>
public abstract record Condition(SourcePosition Position);

public enum ComparisonOperator { Equal, NotEqual, Less, Greater, LessOrEqual, GreaterOrEqual, In, NotIn, IsNull, IsNotNull, IsDistinctFrom }

/// <param name="Column">Column whose current value is tested.</param>
/// <param name="Operator">How.</param>
/// <param name="Values">Templates; one for the simple operators, none for the null tests, any number for in and not_in. A null entry is SQL NULL.</param>
/// <param name="Position">Where it stands.</param>
public sealed record ComparisonCondition(string Column, ComparisonOperator Operator, IReadOnlyList<string?> Values, SourcePosition Position)
    : Condition(Position);

public sealed record AllCondition(IReadOnlyList<Condition> Conditions, SourcePosition Position) : Condition(Position);

public sealed record AnyCondition(IReadOnlyList<Condition> Conditions, SourcePosition Position) : Condition(Position);

public sealed record NotCondition(Condition Inner, SourcePosition Position) : Condition(Position);

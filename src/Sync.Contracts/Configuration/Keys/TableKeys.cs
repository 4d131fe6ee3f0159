using static Sync.Contracts.Configuration.Keys.ConfigKind;

namespace Sync.Contracts.Configuration.Keys;

/// <summary>The keys of one table, of an entry of its commands, and of a condition.</summary>
static class TableKeys
{
    /// <summary>Where a table's keys hang.</summary>
    public const string Table = "tables[]";

    /// <summary>Where the keys of a command with a condition hang.</summary>
    public const string Rule = "tables[].commands[]";

    /// <summary>Where the keys of a condition hang, wherever it stands.</summary>
    public const string Condition = "tables[].when";

    /// <summary>A table's life of keys may be long, but not so long that Redis's clock overflows.</summary>
    const double MaximumLife = 100 * 365 * 24 * 3600_000d;

    /// <summary>The spellings of operators, in the order of <see cref="ComparisonOperator"/>; each one's first is the usual one.</summary>
    public static readonly string[][] Operators =
    [
        ["=", "=="], ["<>", "!="], ["<"], [">"], ["<="], [">="], ["in"], ["not_in"], ["is_null"], ["is_not_null"], ["is_distinct_from"],
    ];

    public static IEnumerable<ConfigKey> All =>
    [
        new("tables[].name", Text, null, "schema.table, for entries written with name; no schema means public."),
        new("tables[].commands", CommandList, "[[\"HSET\", \"<schema.table>:{%pk%}\", \"{pairs:*}\"]]",
            "Commands for every operation that has none of its own."),
        .. Operation("insert"),
        .. Operation("update"),
        .. Operation("delete"),
        new("tables[].truncate", Truncate, null, "What TRUNCATE does: run commands, resync, or ignore. Without it, a warning is logged and counted."),
        new("tables[].truncate.commands", CommandList, null, "Commands for a TRUNCATE; no column has a value in them."),
        ConfigKeys.Time("tables[].ttl", null, "Life of every key written; none: for ever.") with { Maximum = MaximumLife },
        ConfigKeys.Time("tables[].ttlJitter", "0s",
            "How much longer than ttl a key may live, spread over the keys.") with { MinimumExcluded = false, Maximum = MaximumLife },
        new("tables[].key", Text, null, "Template of the ordering key; changes with equal keys keep their order. None: the row's identity."),
        new("tables[].tags", TextList, null, "Templates of sets that list the keys written, for invalidation of groups."),
        new("tables[].action", Choice, "write", "write: run the commands; invalidate: delete the keys they would write.") { Choices = ["write", "invalidate"] },
        new("tables[].when", ConfigKind.Condition, null, "Rows for which this does not hold are left alone."),
        new("tables[].publishWithoutIdentity", Flag, "false",
            "With postgres.repl.owner app: add the table to the publication although it has no replica identity; PostgreSQL then refuses every UPDATE and DELETE on it."),
        new("tables[].onUnknownOldValue", Choice, "count",
            "What becomes of a {diff:column} whose old value PostgreSQL did not send, because the replica identity leaves the column out: count takes it for 0 and counts a warning; park sends the row to the dead letters.")
            { Choices = ["count", "park"] },
        new("tables[].columns", Section, null, "What {pairs:*}, {json:*} and {columns:*} see."),
        new("tables[].columns.include", TextList, null, "Only these columns; none: all."),
        new("tables[].columns.exclude", TextList, null, "Not these columns, also if included."),
        new("tables[].columns.rename", TextMap, null, "Field names for columns."),

        new("tables[].commands[].command", Command, null, "An array, or an array of arrays that run together.") { Required = true },
        new("tables[].commands[].condition", ConfigKind.Condition, null, "The command runs for rows for which this holds."),

        new("tables[].when.column", Text, null, "The column that is tested."),
        new("tables[].when.op", Choice, null, "The operator.") { Choices = [.. Operators.SelectMany(o => o)] },
        new("tables[].when.value", Value, null, "A literal or a template such as {old:status}; null only for is_distinct_from."),
        new("tables[].when.values", Values, null, "For in and not_in."),
        new("tables[].when.all", Conditions, null, "Holds if all of these hold."),
        new("tables[].when.any", Conditions, null, "Holds if one of these holds."),
        new("tables[].when.not", ConfigKind.Condition, null, "Holds if this does not."),
    ];

    static ConfigKey[] Operation(string name) =>
    [
        new($"tables[].{name}", Section, null, $"What {name.ToUpperInvariant()} does."),
        new($"tables[].{name}.commands", CommandList, null, $"Commands for {name.ToUpperInvariant()} alone; an empty list does nothing."),
    ];
}

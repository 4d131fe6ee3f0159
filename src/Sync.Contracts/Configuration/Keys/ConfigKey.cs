namespace Sync.Contracts.Configuration.Keys;

/// <summary>What the value of a key looks like.</summary>
public enum ConfigKind
{
    /// <summary>A map with keys of its own.</summary>
    Section,
    /// <summary>A map of PEM files, or true or false.</summary>
    Tls,
    /// <summary>A map of PEM files, or the word none.</summary>
    FilesOrNone,
    Flag, Integer, Number, Duration, Text,
    /// <summary>A text that is never shown.</summary>
    Password,
    /// <summary>A path; relative ones start at the configuration file's folder.</summary>
    FilePath,
    /// <summary>One of a few words.</summary>
    Choice,
    /// <summary>An absolute http or https address.</summary>
    Address,
    /// <summary>A list of texts; a single text counts as a list of one.</summary>
    TextList,
    /// <summary>A list of texts, also written as one text with commas.</summary>
    CommaList,
    /// <summary>A map from text to text.</summary>
    TextMap,
    /// <summary>A list of maps.</summary>
    EntryList,
    /// <summary>The list under <c>tables</c>.</summary>
    Tables,
    /// <summary>A list of commands.</summary>
    CommandList,
    /// <summary>A command, or a list of commands that run together.</summary>
    Command,
    /// <summary><c>ignore</c>, <c>resync</c>, or a map with commands.</summary>
    Truncate,
    /// <summary>A test on a row.</summary>
    Condition,
    /// <summary>A list of tests on a row.</summary>
    Conditions,
    /// <summary>A text or null.</summary>
    Value,
    /// <summary>A list of texts.</summary>
    Values,
}

/// <summary>
/// One row of the table that the loader, the JSON schema and the documentation share.
/// </summary>
/// <param name="Path">Names joined by dots; <c>[]</c> stands for the entries of a list.</param>
/// <param name="Kind">What its value looks like.</param>
/// <param name="Default">As it would be written in a file; null for none.</param>
/// <param name="Description">A sentence for users.</param>
public sealed record ConfigKey(string Path, ConfigKind Kind, string? Default, string Description)
{
    /// <summary>Smallest value; milliseconds for durations.</summary>
    public double? Minimum { get; init; }

    /// <summary>Largest value; milliseconds for durations.</summary>
    public double? Maximum { get; init; }

    /// <summary>Whether <see cref="Minimum"/> itself is too small.</summary>
    public bool MinimumExcluded { get; init; }

    /// <summary>What a bare number means for a duration.</summary>
    public TimeSpan Unit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The words of a choice, in the order of the model's enumeration.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    public bool Required { get; init; }

    /// <summary>The default depends on the machine; <see cref="Default"/> then says in words what it is.</summary>
    public bool DefaultIsComputed { get; init; }

    /// <summary>The last name of the path.</summary>
    public string Name => Path[(Path.LastIndexOf('.') + 1)..];

    /// <summary>The path without its last name; empty at the top.</summary>
    public string Parent => Path.LastIndexOf('.') is >= 0 and var dot ? Path[..dot] : "";

    /// <summary>The end of "must be …", with the range.</summary>
    public string Expectation => Kind switch
    {
        ConfigKind.Section or ConfigKind.TextMap => "a map",
        ConfigKind.Tls => "a map of files, or true or false",
        ConfigKind.FilesOrNone => "a map of files, or none",
        ConfigKind.Flag => "true or false",
        ConfigKind.Integer => "a whole number" + Range(v => v.ToString("0", System.Globalization.CultureInfo.InvariantCulture)),
        ConfigKind.Number => "a number" + Range(v => v.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        ConfigKind.Duration => "a duration such as 500ms, 2s, 1m30s or 1h" + Range(v => DurationText.Format(TimeSpan.FromMilliseconds(v))),
        ConfigKind.Choice => Choices.Count < 2 ? Choices[0] : string.Join(", ", Choices.SkipLast(1)) + " or " + Choices[^1],
        ConfigKind.Address => "an address such as http://localhost:4317",
        ConfigKind.TextList or ConfigKind.CommaList or ConfigKind.Values => "a list of texts",
        ConfigKind.EntryList or ConfigKind.Tables or ConfigKind.CommandList or ConfigKind.Conditions => "a list",
        ConfigKind.Command => "an array",
        ConfigKind.Truncate => "ignore, resync or a map with commands",
        ConfigKind.Condition => "a map such as {column: status, op: \"=\", value: paid}",
        _ => "a text",
    };

    string Range(Func<double, string> show) => (Minimum, Maximum) switch
    {
        ({ } low, { } high) when MinimumExcluded => $" over {show(low)} and up to {show(high)}",
        ({ } low, { } high) => $" from {show(low)} to {show(high)}",
        ({ } low, null) when MinimumExcluded => $" over {show(low)}",
        ({ } low, null) => $" of at least {show(low)}",
        (null, { } high) => $" up to {show(high)}",
        _ => "",
    };
}

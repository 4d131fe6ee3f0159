using System.Globalization;

namespace Sync.Node.Telemetry;

/// <summary>
/// Log lines for people and for journals: <c>2026-01-31T12:00:00.123Z info  streaming slot shop</c>, one line per event whatever its
/// values contain, coloured on a terminal. Written at once and under a lock: a queue could lose the last words of a process, and
/// lines are rare (one per event of the node, never one per row).
/// </summary>
/// <param name="output">Where lines go.</param>
/// <param name="minimum">Events below it are not written.</param>
/// <param name="colours">Whether <paramref name="output"/> is a terminal that shows colours.</param>
/// <param name="time">Clock of the time stamps.</param>
public sealed class LineLogger(TextWriter output, LogLevel minimum, bool colours, TimeProvider time) : ILogger
{
    readonly Lock gate = new();
    string sticky = "";

    /// <summary>Names of events that are not written, because something else on the screen shows them better.</summary>
    public IReadOnlySet<string> Muted { get; init; } = new HashSet<string>();

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= minimum && logLevel != LogLevel.None;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel) || (eventId.Name is { } name && Muted.Contains(name))) return;
        string text = OneLine(formatter(state, exception));
        if (exception is not null) text += $" ({OneLine(exception.Message)})";
        string line = Line(logLevel, text);
        lock (gate)
        {
            Erase();
            output.WriteLine(line);
            if (exception is not null && minimum <= LogLevel.Debug) output.WriteLine(exception);
            Draw();
        }
    }

    /// <summary>Keeps a text in the last line of a terminal, below all log lines; empty takes it away.</summary>
    public void Stick(string text)
    {
        lock (gate)
        {
            Erase();
            sticky = OneLine(text);
            Draw();
        }
    }

    string Line(LogLevel level, string text)
    {
        string at = time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        string word = Word(level);
        if (!colours) return $"{at} {word} {text}";
        return level switch
        {
            LogLevel.Warning => $"\e[2m{at}\e[0m \e[33m{word}\e[0m {text}",
            LogLevel.Error or LogLevel.Critical => $"\e[2m{at}\e[0m \e[31m{word}\e[0m {text}",
            LogLevel.Information => $"\e[2m{at}\e[0m \e[32m{word}\e[0m {text}",
            _ => $"\e[2m{at} {word} {text}\e[0m",
        };
    }

    static string Word(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "debug",
        LogLevel.Information => "info ",
        LogLevel.Warning => "warn ",
        _ => "error",
    };

    void Erase()
    {
        if (sticky.Length > 0) output.Write("\r\e[2K");
    }

    void Draw()
    {
        if (sticky.Length > 0) output.Write(sticky);
        output.Flush();
    }

    /// <summary>Control characters become visible: a table's name must neither start a line of its own nor command the terminal.</summary>
    public static string OneLine(string text)
    {
        if (!text.Any(char.IsControl)) return text;
        var line = new System.Text.StringBuilder(text.Length + 16);
        foreach (char c in text)
        {
            if (c == '\n') line.Append("\\n");
            else if (c == '\r') line.Append("\\r");
            else if (c == '\t') line.Append("\\t");
            else if (char.IsControl(c)) line.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else line.Append(c);
        }
        return line.ToString();
    }
}

using System.Globalization;
using Sync.Contracts;

namespace Sync.Node.Commands.Validation;

/// <summary>What a validation found, in the order in which it is shown: lines that passed or failed, errors, warnings, notes, a sum.</summary>
sealed class CheckReport
{
    readonly List<(bool Passed, string Subject, string Detail)> lines = [];
    readonly List<(ExitCode Code, string Message)> errors = [];
    readonly List<string> warnings = [];
    readonly List<string> notes = [];

    /// <summary>Whether there is a line about it.</summary>
    public bool Shows(string subject) => lines.Exists(l => l.Subject == subject);

    /// <summary>A line with a tick.</summary>
    public void Pass(string subject, string detail = "") => lines.Add((true, subject, detail));

    /// <summary>A line with a cross; what is wrong is said by <see cref="Error(ExitCode, string)"/>.</summary>
    public void Fail(string subject, string detail = "") => lines.Add((false, subject, detail));

    /// <summary>The same error is said once, however many tables have it.</summary>
    public void Error(ExitCode code, string message)
    {
        foreach (string line in message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            if (!errors.Contains((code, line))) errors.Add((code, line));
    }

    public void Error(SyncException error) => Error(error.Code, error.Message);

    public void Warn(string message)
    {
        if (!warnings.Contains(message)) warnings.Add(message);
    }

    /// <summary>Something to know that is no reason to worry.</summary>
    public void Note(string message) => notes.Add(message);

    /// <summary>The first error's code; 1 for warnings when they were asked to fail.</summary>
    public ExitCode Outcome(bool strict) => errors.Count > 0 ? errors[0].Code : strict && warnings.Count > 0 ? ExitCode.CheckFailed : ExitCode.Ok;

    /// <param name="tables">How many tables are configured.</param>
    /// <param name="output">Takes everything but the errors.</param>
    /// <param name="error">Takes the errors.</param>
    /// <param name="colours">Whether <paramref name="output"/> shows colours.</param>
    public void Write(int tables, TextWriter output, TextWriter error, bool colours)
    {
        int width = lines.Count == 0 ? 0 : lines.Max(l => l.Subject.Length);
        foreach (var (passed, subject, detail) in lines)
        {
            string mark = passed ? Paint("✓", 32) : Paint("✗", 31);
            output.WriteLine(detail.Length == 0 ? $"{mark} {subject}" : $"{mark} {subject.PadRight(width)}  {detail}");
        }
        foreach (var (_, message) in errors) error.WriteLine($"actorsync: {message}");
        foreach (string warning in warnings) output.WriteLine($"{Paint("warning:", 33)} {warning}");
        foreach (string note in notes) output.WriteLine($"note: {note}");
        output.WriteLine(string.Join(", ", Count(tables, "table"), Count(errors.Count, "error"), Count(warnings.Count, "warning")));

        string Paint(string text, int colour) => colours ? $"\e[{colour}m{text}\e[0m" : text;
    }

    static string Count(int number, string noun) => string.Create(CultureInfo.InvariantCulture, $"{number} {noun}{(number == 1 ? "" : "s")}");
}

using System.Globalization;
using Sync.Node.Verification;

namespace Sync.Node.Commands;

/// <summary>A comparison for people.</summary>
static class VerifyText
{
    public static void Write(VerifyReport report, TextWriter output)
    {
        int width = report.Tables.Count == 0 ? 0 : report.Tables.Max(t => Terminal.Field(t.Table).Length);
        foreach (var table in report.Tables)
        {
            output.WriteLine($"{Terminal.Field(table.Table).PadRight(width)}  {Line(table)}");
            foreach (var example in table.Examples) output.WriteLine(Terminal.Field($"  {example.Kind,-10} {example.Key}{Row(example)}: {example.What}"));
            foreach (string note in table.NotVerifiable) output.WriteLine(Terminal.Field($"  not verifiable: {note}"));
            foreach (string note in table.NotSearched) output.WriteLine(Terminal.Field($"  extra keys not searched: {note}"));
        }
        if (report.Note.Length > 0) output.WriteLine($"note: {report.Note}");
        string[] left = [.. report.Tables.Where(t => !t.Compared).Select(t => t.Table)];
        string result = report.Drift == 0 && left.Length == report.Tables.Count ? "nothing could be compared"
            : report.Drift == 0 && left.Length > 0 ? $"no drift in what was compared, which is not {Terminal.Field(string.Join(", ", left))}"
            : report.Drift == 0 ? "no drift" : string.Create(CultureInfo.InvariantCulture, $"{report.Drift:N0} {(report.Drift == 1 ? "key differs" : "keys differ")}");
        output.WriteLine(left.Length == report.Tables.Count ? result : $"{result}, compared at {report.Position}");
    }

    static string Row(VerifyExample example) => example.Row.Length > 0 ? $" (row {example.Row})" : "";

    static string Line(TableReport table)
    {
        if (table.Skipped.Length > 0) return $"not compared: {table.Skipped}";
        var words = new List<string>();
        void Say(long count, string what, bool always = false)
        {
            if (count > 0 || always) words.Add(string.Create(CultureInfo.InvariantCulture, $"{count:N0} {what}"));
        }
        Say(table.Rows, "rows", true);
        Say(table.Keys, "keys", true);
        Say(table.Missing, "missing", true);
        Say(table.Different, "different", true);
        Say(table.Extra, "extra", true);
        Say(table.Parked, "parked");
        Say(table.Unsettled, "kept changing");
        Say(table.Contested, "contested by other tables");
        Say(table.Untraceable, "not traceable to one row");
        Say(table.Repaired, "repaired");
        Say(table.NotVerifiable.Count, table.NotVerifiable.Count == 1 ? "command not verifiable" : "commands not verifiable");
        return string.Join(", ", words);
    }
}

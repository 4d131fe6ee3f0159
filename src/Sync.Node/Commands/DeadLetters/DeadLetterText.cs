using System.Globalization;
using Spectre.Console;
using Sync.Node.Http;

namespace Sync.Node.Commands.DeadLetters;

/// <summary>Dead letters for people: a table on a terminal, tab-separated lines elsewhere.</summary>
static class DeadLetterText
{
    public static void Write(DeadLetterPage page, TextWriter output)
    {
        if (Terminal.IsInteractive) Table(page);
        else
            foreach (var entry in page.Entries) output.WriteLine(string.Join('\t', Fields(entry)));
    }

    public static void Write(DeadLetterView letter, TextWriter output)
    {
        string[] names = ["id", "time", "table", "kind", "key", "attempts", "error"];
        foreach (var (name, value) in names.Zip(Fields(letter))) output.WriteLine($"{name,-9} {value}");
        output.WriteLine($"{"parked",-9} {Time(letter.ParkedAt)}");
        if (letter.Overtaken) output.WriteLine($"{"overtaken",-9} a later change of its key was applied; retry leaves it alone without --force");
        output.WriteLine($"{"position",-9} {(letter.Position.Length > 0 ? letter.Position : "from a snapshot")}");
        output.WriteLine($"{"commands",-9} {Terminal.Field(letter.Commands is { Length: > 0 } commands ? commands : "none: they could not be made")}");
    }

    public static void Write(RetryReply reply, TextWriter output)
    {
        string left = reply.NotTried is null ? $"{Keys(reply.Failed)} refused again or not tried" : $"{Keys(reply.Failed)} failed again";
        string notTried = reply.NotTried is > 0 and var count ? $", {Keys(count)} not tried ({Terminal.Field(reply.Reason)})" : "";
        output.WriteLine($"{reply.Applied} applied, {left}{notTried}{(reply.Failed > 0 || reply.NotTried is > 0 ? "; see actorsync dlq list" : "")}");

        static string Keys(int count) => $"{count} {(count == 1 ? "key" : "keys")}";
    }

    static void Table(DeadLetterPage page)
    {
        if (page.Entries.Count == 0)
        {
            AnsiConsole.WriteLine("There are no dead letters.");
            return;
        }
        var table = new Table().Border(TableBorder.Rounded);
        // What is copied into the next command stays in one piece; keys and errors may wrap.
        foreach (string name in (string[])["id", "time", "table", "kind", "key", "tries", "error"])
            table.AddColumn(name, column => column.NoWrap = name is not ("key" or "error"));
        foreach (var entry in page.Entries) table.AddRow([.. Fields(entry).Select(field => new Text(field))]);
        AnsiConsole.Write(table);
        if (page.Next is { } next) AnsiConsole.WriteLine($"There are more: actorsync dlq list --after {next}");
    }

    static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    static string[] Fields(DeadLetterView entry) =>
    [
        entry.Id, Time(entry.At), Terminal.Field(entry.Table), entry.Kind,
        Terminal.Field(entry.Key), entry.Attempts.ToString(CultureInfo.InvariantCulture), Terminal.Field(entry.Error),
    ];
}

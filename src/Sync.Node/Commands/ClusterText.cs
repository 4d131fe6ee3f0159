using System.Globalization;
using Spectre.Console;
using Sync.Node.Commands.Validation;
using Sync.Node.Http;

namespace Sync.Node.Commands;

/// <summary>A cluster for people: tables on a terminal, tab-separated lines elsewhere.</summary>
static class ClusterText
{
    static readonly string[] memberNames = ["node", "status", "roles", "reads", "lanes", "rows", "bytes", "lag ms", "refused"];
    static readonly string[] laneNames = ["lane", "node", "epoch", "claim", "position", "rows", "bytes", "lag ms", "circuit", "parked"];
    static readonly string[] commandNames = ["time", "command", "for", "by", "stage", "message"];

    public static void Write(ClusterView view, TextWriter output)
    {
        foreach (string line in Lines(view)) output.WriteLine(line);
        Table(memberNames, [.. view.Members.Select(Fields)], output);
        if (view.Commands is { Count: > 0 } commands) Table(commandNames, [.. commands.Select(Fields)], output);
    }

    /// <param name="view">What the node says.</param>
    /// <param name="output">Gets the lanes.</param>
    /// <param name="error">Gets the lanes of which nothing is known.</param>
    public static void Write(LanesView view, TextWriter output, TextWriter error)
    {
        Table(laneNames, [.. view.Lanes.Select(Fields)], output);
        if (view.SilentLanes.Count > 0) error.WriteLine($"actorsync: no answer of {Count(view.SilentLanes.Count, "lane")}, which may be moving: {Ranges(view.SilentLanes)}");
    }

    /// <summary>What there is once.</summary>
    public static IEnumerable<string> Lines(ClusterView view)
    {
        yield return Row("cluster", $"{view.Name}, slot {view.Slot}, as {view.Self} sees it");
        yield return Row("leader", view.Leader ?? "none: the nodes that can be reached don't agree");
        yield return Row("reader", view.Reader is null ? "none: no member has the role" : $"{view.Reader}, epoch {view.ReaderEpoch}");
        yield return Row("commands", $"{(view.Control is null ? "nowhere: there is no full member" : $"at {view.Control}")}{(view.Commands is null ? ", which does not answer" : "")}");
        string silent = view.SilentLanes.Count == 0 ? "" : $", no answer of {Ranges(view.SilentLanes)}";
        yield return Row("lanes", $"{view.Lanes}{(view.LanesKnown ? "" : ", on which nodes is not known now")}{silent}");
        yield return Row("waiting", string.Create(CultureInfo.InvariantCulture, $"{view.RowsWaiting:N0} rows, {PostgresChecks.Bytes(view.BytesWaiting)}, lag {view.LagMs:F1} ms"));
        if (view.CircuitsOpen > 0) yield return Row("refused", $"Redis keeps refusing {Count(view.CircuitsOpen, "lane")}");
        yield return Row("dead letters", $"{view.DeadLetters.ToString("N0", CultureInfo.InvariantCulture)} of {Count(view.ParkedKeys, "key")}");
        if (view.Lease is { } lease) yield return Row("lease", string.Create(CultureInfo.InvariantCulture, $"{lease.Owner}, {lease.SecondsLeft:F0} s left"));
        if (view.LeaseError is { } error) yield return Row("lease", $"not known: {error}");
    }

    /// <summary>Numbers in ascending order, such as <c>0-3, 7</c>.</summary>
    public static string Ranges(IReadOnlyList<int> numbers)
    {
        var parts = new List<string>();
        for (int i = 0, first; i < numbers.Count; i++)
        {
            first = numbers[i];
            while (i + 1 < numbers.Count && numbers[i + 1] == numbers[i] + 1) i++;
            parts.Add(numbers[i] == first ? $"{first}" : $"{first}-{numbers[i]}");
        }
        return string.Join(", ", parts);
    }

    static string Row(string name, string value) => Terminal.Field($"{name,-13} {value}");

    static string Count(int count, string what) => $"{count} {what}{(count == 1 ? "" : "s")}";

    static string[] Fields(MemberView member) =>
    [
        member.Address, member.Status + (member.Unreachable ? ", unreachable" : ""), string.Join(',', member.Roles), member.Reads ? "yes" : "", Number(member.Lanes.Count),
        Number(member.RowsWaiting), Number(member.BytesWaiting), Lag(member.LagMs), Number(member.CircuitsOpen),
    ];

    static string[] Fields(LaneView lane) =>
    [
        Number(lane.Lane), lane.Node, Number(lane.Epoch), Number(lane.Claim), lane.Position, Number(lane.RowsWaiting), Number(lane.BytesWaiting), Lag(lane.LagMs),
        lane.CircuitOpen ? "open" : "", Number(lane.ParkedKeys),
    ];

    static string[] Fields(CommandView command) =>
    [
        command.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture), command.Command, command.Argument.Length > 0 ? command.Argument : "all",
        command.By, command.Stage, command.Message,
    ];

    static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    static string Lag(double ms) => ms.ToString("F1", CultureInfo.InvariantCulture);

    static void Table(string[] names, IReadOnlyList<string[]> rows, TextWriter output)
    {
        if (!Terminal.IsInteractive)
        {
            foreach (string[] row in rows) output.WriteLine(string.Join('\t', row.Select(Terminal.Field)));
            return;
        }
        var table = new Table().Border(TableBorder.Rounded);
        foreach (string name in names) table.AddColumn(name, column => column.NoWrap = name is not ("message" or "for"));
        foreach (string[] row in rows) table.AddRow([.. row.Select(field => new Text(Terminal.Field(field)))]);
        AnsiConsole.Write(table);
    }
}

using Spectre.Console;
using Spectre.Console.Rendering;
using Sync.Node.Http;

namespace Sync.Node.Demo;

/// <summary>What the demo of a cluster shows: on a terminal a table that is redrawn, elsewhere a line for whatever happens.</summary>
sealed class ClusterScreen
{
    const int EventLines = 12, BarWidth = 40;

    readonly Lock gate = new();
    readonly Queue<string> events = new();
    readonly bool isLive = AnsiConsole.Profile.Out.IsTerminal && AnsiConsole.Profile.Capabilities.Ansi;

    /// <summary>Something happened.</summary>
    public void Say(TimeSpan at, string what)
    {
        string line = $"{at.TotalSeconds,6:0.0} s  {what}";
        if (!isLive) Console.WriteLine(line);
        lock (gate)
        {
            events.Enqueue(line);
            if (events.Count > EventLines) events.Dequeue();
        }
    }

    /// <summary>Shows until <paramref name="work"/> is done.</summary>
    /// <param name="work">What goes on meanwhile.</param>
    /// <param name="now">The picture of this moment.</param>
    public async Task ShowAsync(Task work, Func<IRenderable> now)
    {
        if (isLive)
            await AnsiConsole.Live(now()).StartAsync(async live =>
            {
                while (await Task.WhenAny(work, Task.Delay(250)) != work) live.UpdateTarget(now());
                live.UpdateTarget(now());
            });
        await work;
    }

    /// <param name="view">The last look at the cluster; null before the first.</param>
    /// <param name="nodes">Those that live.</param>
    /// <param name="nameOf">What people call the node of an address.</param>
    /// <param name="caption">Below the table.</param>
    public IRenderable Picture(ClusterView? view, IReadOnlyList<DemoNode> nodes, Func<string, string> nameOf, string caption)
    {
        var table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey).Expand();
        table.AddColumn("Node").AddColumn("State").AddColumn("Reads").AddColumn(new TableColumn("Lanes").RightAligned()).AddColumn("").AddColumn(new TableColumn("Waiting").RightAligned());
        foreach (var member in (view?.Members ?? []).OrderBy(m => nameOf(m.Address), StringComparer.Ordinal))
        {
            bool lives = nodes.Any(n => n.Address == member.Address);
            string colour = member.Unreachable || !lives ? "red" : member.Status == "Up" ? "green" : "yellow";
            int bar = view!.Lanes == 0 ? 0 : member.Lanes.Count * BarWidth / view.Lanes;
            table.AddRow(
                Markup.Escape($"{nameOf(member.Address)}, {member.Address}"), $"[{colour}]{Markup.Escape(member.Status)}{(member.Unreachable ? ", not reached" : lives ? "" : ", killed")}[/]",
                member.Reads ? "[bold]reader[/]" : "", $"{member.Lanes.Count}", $"[deepskyblue1]{new string('█', bar)}[/]", $"{member.RowsWaiting} rows");
        }
        table.Caption(Markup.Escape(caption));
        string[] lines;
        lock (gate) lines = [.. events];
        return new Rows([table, .. lines.Select(line => new Text(line))]);
    }
}

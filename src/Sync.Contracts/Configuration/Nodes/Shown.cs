namespace Sync.Contracts.Configuration.Nodes;

/// <summary>Makes a piece of somebody's input fit into a one-line message.</summary>
static class Shown
{
    const int Longest = 60;

    public static string Short(string text)
    {
        string line = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length <= Longest ? line : line[..(Longest - 1)] + "…";
    }
}

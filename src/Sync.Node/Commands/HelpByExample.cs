using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Sync.Node.Commands;

/// <summary>A command that shows how it is used.</summary>
/// <param name="name">As it is typed.</param>
/// <param name="description">What it does.</param>
/// <param name="examples">Each a command line and, behind two spaces and a #, what it does.</param>
sealed class TaughtCommand(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;
}

/// <summary>The usual help, and below it the examples.</summary>
sealed class HelpByExample(HelpAction usual) : SynchronousCommandLineAction
{
    static readonly string[] first =
    [
        "actorsync demo                              # see it work: servers of its own, a shop, changes side by side",
        "actorsync init --database shop --user app   # write a config.yaml from what is in a database",
        "actorsync validate --connect                # check it against PostgreSQL and Redis",
        "actorsync run                               # copy what is there, then follow every change",
        "actorsync status --watch                    # what the running node is doing",
    ];

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        int code = usual.Invoke(parseResult);
        var command = parseResult.CommandResult.Command;
        var examples = command is TaughtCommand taught ? taught.Examples : command is RootCommand ? first : [];
        if (examples.Count == 0) return code;
        var output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Examples:");
        foreach (string example in examples) output.WriteLine($"  {example}");
        output.WriteLine();
        return code;
    }
}

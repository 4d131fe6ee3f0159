using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Sync.Contracts;
using Sync.Node.Telemetry;
using Sync.Redis.Errors;

namespace Sync.Node.Commands;

/// <summary>
/// <c>actorsync</c>: reads the command line, runs the command, and turns every way it can end into one sentence and an exit code
/// (docs/operating.md, "Exit codes").
/// </summary>
public static class CommandLine
{
    /// <summary>What shells report for a program that Ctrl-C ended: 128 + SIGINT.</summary>
    const int Interrupted = 130;

    public static async Task<int> RunAsync(string[] args)
    {
        var session = CommandSession.OfThisProcess();
        var root = Build(session);
        // An argument that begins with @ is a key or a name here, never a file of more arguments.
        var parsing = new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null };
        if (args.Length == 0)
        {
            root.Parse(["--help"], parsing).Invoke(new InvocationConfiguration { Output = session.Out, Error = session.Error });
            return (int)ExitCode.Usage;
        }
        var parsed = root.Parse(args, parsing);
        if (parsed.Action is ParseErrorAction) return Refuse(parsed, session);
        try
        {
            // Signals are handled by StopSignals, exceptions below.
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
                Output = session.Out,
                Error = session.Error,
            });
        }
        catch (Exception e)
        {
            return Report(e, session);
        }
    }

    static RootCommand Build(CommandSession session)
    {
        var root = new RootCommand("Follows committed changes of PostgreSQL and applies them to Redis, in order per key, exactly once in effect.")
        {
            session.ConfigOption,
            RunCommand.Create(session),
            RunCommand.CreateSnapshot(session),
            ValidateCommand.Create(session),
            InitCommand.Create(session),
            StatusCommand.Create(session),
            DeadLetterCommand.Create(session),
            VerifyCommand.Create(session),
            ResyncCommand.Create(session),
            ClusterCommand.Create(session),
            DemoVerb.Create(),
            VersionCommand.Create(session),
        };
        foreach (var option in root.Options.OfType<HelpOption>())
            if (option.Action is HelpAction help) option.Action = new HelpByExample(help);
        return root;
    }

    static int Refuse(ParseResult parsed, CommandSession session)
    {
        foreach (var error in parsed.Errors) session.Say(error.Message);
        var path = new List<string>();
        for (var command = parsed.CommandResult; command is not null; command = command.Parent as System.CommandLine.Parsing.CommandResult)
            if (command.Command is not RootCommand) path.Insert(0, command.Command.Name);
        session.Say($"see: {string.Join(' ', ["actorsync", .. path, "--help"])}");
        return (int)ExitCode.Usage;
    }

    internal static int Report(Exception error, CommandSession session)
    {
        int code;
        switch (error)
        {
            case SyncException known:
                // One mistake may show in several operations of a table.
                foreach (string line in known.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct())
                    session.Say(line);
                code = (int)known.Code;
                break;
            case RedisTransientException redis:
                session.Say(redis.Message);
                code = (int)ExitCode.RedisUnreachable;
                break;
            case OperationCanceledException:
                session.Say("interrupted");
                return Interrupted;
            default:
                session.Say($"unexpected failure, a defect of this program: {LineLogger.OneLine(error.Message)}"
                    + (session.IsDebug ? "" : " (set ACTORSYNC_DEBUG=true for where it happened, and please report it)"));
                code = (int)ExitCode.Internal;
                break;
        }
        if (session.IsDebug) session.Error.WriteLine(error);
        return code;
    }
}

using System.CommandLine;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Commands.DeadLetters;
using Sync.Node.Http;

namespace Sync.Node.Commands;

/// <summary><c>actorsync dlq</c>: look at changes that Redis refused, try them again, or give them up.</summary>
static class DeadLetterCommand
{
    public static Command Create(CommandSession session)
    {
        var url = StatusCommand.UrlOption();
        url.Recursive = true;
        var command = new TaughtCommand("dlq", "Dead letters: changes that Redis refused for good, and those that wait behind them.",
            "actorsync dlq list                      # what is parked, oldest first",
            "actorsync dlq show 1700000000000-0      # the commands of one",
            "actorsync dlq retry                     # apply all again, in order, after the cause is mended",
            "actorsync dlq retry --key public.orders:42",
            "actorsync dlq drop --key public.orders:42   # give them up; later changes of that row go on")
        {
            url,
            List(session, url), Show(session, url), Retry(session, url), Drop(session, url),
        };
        return command;
    }

    static Command List(CommandSession session, Option<string?> url)
    {
        var json = Json();
        var limit = new Option<int>("--limit") { Description = $"How many, 1 to {DeadLetterPage.Largest}.", HelpName = "N", DefaultValueFactory = _ => 100 };
        var after = new Option<string?>("--after") { Description = "Begin behind this id.", HelpName = "ID" };
        var command = new TaughtCommand("list", "Lists dead letters in the order of parking.",
            "actorsync dlq list",
            "actorsync dlq list --limit 500 --json",
            "actorsync dlq list | cut -f5 | sort | uniq -c   # elsewhere than on a terminal: id, time, table, kind, key, attempts, error")
        {
            json, limit, after,
        };
        Do(command, session, url, async (access, parsed, stop) =>
        {
            int count = parsed.GetValue(limit);
            if (count is < 1 or > DeadLetterPage.Largest) throw new SyncException(ExitCode.Usage, $"--limit takes 1 to {DeadLetterPage.Largest}.");
            var page = await access.ListAsync(parsed.GetValue(after), count, stop);
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(page, HttpJson.Indented));
            else DeadLetterText.Write(page, session.Out);
            return ExitCode.Ok;
        });
        return command;
    }

    static Command Show(CommandSession session, Option<string?> url)
    {
        var json = Json();
        var id = Id(required: true);
        var command = new TaughtCommand("show", "Shows one dead letter with its commands.", "actorsync dlq show 1700000000000-0") { json, id };
        Do(command, session, url, async (access, parsed, stop) =>
        {
            string wanted = parsed.GetValue(id)!;
            var letter = await access.GetAsync(wanted, stop)
                ?? throw new SyncException(ExitCode.Usage, $"There is no dead letter {wanted}; see actorsync dlq list.");
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(letter, HttpJson.Indented));
            else DeadLetterText.Write(letter, session.Out);
            return ExitCode.Ok;
        });
        return command;
    }

    static Command Retry(CommandSession session, Option<string?> url)
    {
        var json = Json();
        var key = Key();
        var all = new Option<bool>("--all") { Description = "Of all keys; so it is without --key." };
        var force = new Option<bool>("--force") { Description = "Also what a later change has overtaken: the older state then stands over the newer one." };
        var command = new TaughtCommand("retry",
            "Applies dead letters again, in order; a key whose dead letters all succeed is released. Ends with 1 when one failed again.",
            "actorsync dlq retry --all",
            "actorsync dlq retry --key public.orders:42")
        {
            json, key, all, force,
        };
        Do(command, session, url, async (access, parsed, stop) =>
        {
            string? one = parsed.GetValue(key);
            if (one is not null && parsed.GetValue(all)) throw new SyncException(ExitCode.Usage, "Say either --key or --all.");
            if (one is "") throw new SyncException(ExitCode.Usage, "--key is empty; see the keys with actorsync dlq list.");
            var reply = await access.RetryAsync(one, parsed.GetValue(force), stop);
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(reply, HttpJson.Indented));
            else DeadLetterText.Write(reply, session.Out);
            return reply.Failed > 0 || reply.NotTried is > 0 ? ExitCode.CheckFailed : ExitCode.Ok;
        });
        return command;
    }

    static Command Drop(CommandSession session, Option<string?> url)
    {
        var json = Json();
        var id = Id(required: false);
        var key = Key();
        var all = new Option<bool>("--all") { Description = "All dead letters; needs --yes." };
        var yes = new Option<bool>("--yes") { Description = "Yes, all of them." };
        var command = new TaughtCommand("drop", "Gives dead letters up: they are never applied. A key without any left is released.",
            "actorsync dlq drop 1700000000000-0",
            "actorsync dlq drop --key public.orders:42",
            "actorsync dlq drop --all --yes")
        {
            json, id, key, all, yes,
        };
        Do(command, session, url, async (access, parsed, stop) =>
        {
            var request = new DropRequest(parsed.GetValue(id), parsed.GetValue(key), parsed.GetValue(all));
            int said = (request.Id is { Length: > 0 } ? 1 : 0) + (request.Key is { Length: > 0 } ? 1 : 0) + (request.All ? 1 : 0);
            if (said != 1) throw new SyncException(ExitCode.Usage, "Say exactly one of ID, --key and --all.");
            if (request.All && !parsed.GetValue(yes)) throw new SyncException(ExitCode.Usage, "--all gives up every dead letter for good; say --yes as well.");
            var reply = await access.DropAsync(request, stop);
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(reply, HttpJson.Indented));
            else session.Out.WriteLine($"{reply.Dropped} dropped");
            return ExitCode.Ok;
        });
        return command;
    }

    static Option<bool> Json() => new("--json") { Description = "As JSON." };

    static Option<string?> Key() => new("--key") { Description = "An ordering key, as dlq list shows it.", HelpName = "K" };

    static Argument<string?> Id(bool required) =>
        new("ID") { Description = "As dlq list shows it.", Arity = required ? ArgumentArity.ExactlyOne : ArgumentArity.ZeroOrOne };

    static void Do(Command command, CommandSession session, Option<string?> url, Func<IDeadLetterAccess, ParseResult, CancellationToken, Task<ExitCode>> work) =>
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            var given = parsed.GetValue(url) is { } text ? NodeClient.ParseUrl(text) : null;
            using var access = await DeadLetterAccess.OpenAsync(given, () => session.Load(parsed).Config, session.Time, signals.Token);
            return (int)await work(access, parsed, signals.Token);
        });
}

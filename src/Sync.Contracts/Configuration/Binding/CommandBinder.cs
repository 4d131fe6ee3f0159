using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>Reads what stands under <c>commands</c>: arrays, groups of arrays, and either with a condition.</summary>
static class CommandBinder
{
    public static IReadOnlyList<CommandRule> Rules(ConfigNode node, BindContext context)
    {
        var rules = new List<CommandRule>();
        switch (node)
        {
            // A single command or rule may stand for a list of one.
            case ListNode list when IsCommand(list):
            case MapNode:
                Add(rules, Rule(node, context));
                break;
            case ListNode list:
                foreach (var item in list.Items) Add(rules, Rule(item, context));
                break;
            case ScalarNode { Text: { } text }:
                context.Issues.Error(node.Position, NotAnArray(text));
                break;
        }
        return rules;
    }

    static void Add(List<CommandRule> rules, CommandRule? rule)
    {
        if (rule is not null) rules.Add(rule);
    }

    static CommandRule? Rule(ConfigNode node, BindContext context)
    {
        if (node is not MapNode map) return Group(node, context) is { } group ? new CommandRule(group, null, node.Position) : null;
        var section = new SectionReader(map, TableKeys.Rule, map.Position, context);
        var condition = section.Node("condition") is { } test ? ConditionBinder.Bind(test, context) : null;
        if (section.Node("command") is not { } command)
        {
            context.Issues.Error(map.Position, "a map under 'commands' needs the key 'command'; an array needs no map around it");
            return null;
        }
        return Group(command, context) is { } commands ? new CommandRule(commands, condition, node.Position) : null;
    }

    /// <summary>A command, or a list of commands that run together.</summary>
    static List<CommandTemplate>? Group(ConfigNode node, BindContext context)
    {
        switch (node)
        {
            case ListNode { Items.Count: 0 }:
                context.Issues.Error(node.Position, "this command is empty; write [\"HSET\", \"orders:{id}\", \"{pairs:*}\"]");
                return null;
            case ListNode list when list.Items.All(i => i is ListNode):
                var commands = list.Items.Select(i => Command((ListNode)i, context)).OfType<CommandTemplate>().ToList();
                return commands.Count == list.Items.Count ? commands : null;
            case ListNode list:
                return Command(list, context) is { } command ? [command] : null;
            default:
                context.Issues.Error(node.Position, NotAnArray((node as ScalarNode)?.Text ?? ""));
                return null;
        }
    }

    static CommandTemplate? Command(ListNode list, BindContext context)
    {
        var arguments = new List<string>();
        foreach (var item in list.Items)
        {
            if (item is ScalarNode { Text: { } text })
            {
                arguments.Add(text);
                continue;
            }
            context.Issues.Error(item.Position, item switch
            {
                MapNode => "an argument must be a text, not a map; quote placeholders, as in \"{pairs:*}\"",
                ListNode => "an argument must be a text, not a list; a group of commands is a list of arrays under 'command'",
                _ => "an argument is empty; write \"\" for an empty text or \"null\" for the word",
            });
            return null;
        }
        if (arguments.Count == 1 && arguments[0].Contains(' '))
        {
            context.Issues.Error(list.Items[0].Position, NotAnArray(arguments[0]));
            return null;
        }
        if (arguments.Count == 0)
        {
            context.Issues.Error(list.Position, "this command is empty; write [\"HSET\", \"orders:{id}\", \"{pairs:*}\"]");
            return null;
        }
        arguments[0] = arguments[0].ToUpperInvariant();
        if (CommandCheck.Find(arguments) is { } problem)
        {
            var place = problem.Argument < list.Items.Count ? list.Items[problem.Argument].Position : list.Position;
            context.Issues.Error(place, problem.Message);
            return null;
        }
        return new CommandTemplate(arguments, list.Position);
    }

    /// <summary>Scalars only, and the first looks like a name: <c>commands: ["HSET", …]</c> rather than a list of lines of text.</summary>
    static bool IsCommand(ListNode list) =>
        list.Items.Count > 1 && list.Items[0] is ScalarNode { Text: { } name } && !name.Contains(' ') && !list.Items.Any(i => i is ListNode);

    static string NotAnArray(string text)
    {
        string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string example = words.Length > 1 && CommandCatalog.TryGet(words[0], out _)
            ? string.Join(", ", words.Select(w => $"\"{w}\""))
            : "\"HSET\", \"orders:{id}\", \"{pairs:*}\"";
        return $"a command must be an array, as in [{Shown.Short(example)}]";
    }
}

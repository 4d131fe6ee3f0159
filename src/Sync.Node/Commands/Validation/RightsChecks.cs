using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;
using Sync.Redis;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Node.Commands.Validation;

/// <summary>
/// Asks Redis whether the user may run what the mapping and ActorSync itself need, with their keys and channels (Redis docs, "ACL DRYRUN", from version 7.0
/// on). Nothing is run.
/// A key stands for all keys of its template, so a right that depends on a value of the row can't be judged.
/// </summary>
sealed class RightsChecks(SyncConfig config, CheckReport report)
{
    static readonly Version oldest = new(7, 0);

    /// <summary>What is asked about one command, and of whom it is.</summary>
    /// <param name="Owner">The table; empty for ActorSync itself.</param>
    /// <param name="Arguments">What is asked.</param>
    /// <param name="Keys">Globs to grant.</param>
    /// <param name="Channel">Glob of a channel to grant; null for none.</param>
    /// <param name="Purpose">What can't be done without it; null when nothing can.</param>
    sealed record Question(string Owner, IReadOnlyList<string> Arguments, IReadOnlyList<string> Keys, string? Channel, string? Purpose);

    /// <param name="connection">To the server.</param>
    /// <param name="plans">The tables whose mapping is known.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task RunAsync(RespConnection connection, IReadOnlyList<TablePlan> plans, CancellationToken cancellationToken)
    {
        if (connection.Server.Version < oldest)
        {
            report.Note($"the rights of the Redis user were not checked: ACL DRYRUN came with Redis {oldest}, and this is {connection.Server.Version}");
            return;
        }
        string user = string.IsNullOrEmpty(connection.User) ? "default" : connection.User;
        var questions = Questions(plans);
        var asked = new RespCommands();
        foreach (var question in questions) asked.Add(["ACL", "DRYRUN", user, .. question.Arguments]);
        var answers = await connection.ExecutePipelineAsync(asked, cancellationToken);
        if (Array.Find(answers, a => a.ErrorText.StartsWith("NOPERM", StringComparison.Ordinal)) is { IsError: true })
        {
            report.Note($"the rights of Redis user '{user}' were not checked, because it may not ask for them: ACL SETUSER {user} +acl|dryrun allows that");
            return;
        }
        var missing = new List<(Question Question, string Said)>();
        for (int i = 0; i < answers.Length; i++)
        {
            // A command that the server does not know can't be judged by rights.
            if (answers[i].IsError) report.Warn($"{Named(questions[i])} can't be checked: Redis says {RedisErrors.Cause(answers[i].ErrorText)}");
            else if (answers[i].AsString() is { } said && said != "OK") missing.Add((questions[i], said));
        }
        foreach (var ofOwner in missing.Where(m => m.Question.Purpose is null).GroupBy(m => m.Question.Owner))
            report.Error(ExitCode.RedisAuthentication, $"{Sentence(user, ofOwner.Key, [.. ofOwner])}");
        foreach (var ofPurpose in missing.Where(m => m.Question.Purpose is not null).GroupBy(m => m.Question.Purpose!))
            report.Warn($"{Sentence(user, "", [.. ofPurpose])} (to {ofPurpose.Key})");
    }

    List<Question> Questions(IReadOnlyList<TablePlan> plans)
    {
        var questions = new List<Question>();
        foreach (var plan in plans)
            foreach (var sample in CommandSample.Of(plan))
                questions.Add(new Question(plan.Table.FullName, sample.Arguments, sample.Keys, sample.Channel, null));
        bool usesScripts = config.Redis.Conn.Client != RedisClient.Resp || config.Cluster.Enabled;
        foreach (var own in OwnCommands.Of(new RedisKeys(config.Postgres.Repl.Slot), config.Redis.Conn.Database, config.Redis.IsCluster, usesScripts))
        {
            bool hasKey = own.Arguments.Any(a => a.StartsWith(RedisKeys.Prefix, StringComparison.Ordinal));
            questions.Add(new Question("", own.Arguments, hasKey ? [OwnCommands.Keys] : [], null, own.Purpose));
        }
        return questions;
    }

    /// <summary>What is missing, and the rule that gives it: with the keys of a denied command, which Redis looks at only behind the command.</summary>
    static string Sentence(string user, string owner, IReadOnlyList<(Question Question, string Said)> missing)
    {
        var denied = missing.Select(m => Denied(m.Said) is { } place ? $"{m.Question.Arguments[0]} on {place}" : m.Question.Arguments[0]).Distinct();
        IEnumerable<string> rules = missing.Where(m => IsCommand(m.Said)).Select(m => $"+{Rule(m.Question.Arguments)}").Distinct()
            .Concat(missing.SelectMany(m => m.Question.Keys).Select(glob => $"~{glob}").Distinct())
            .Concat(missing.Select(m => m.Question.Channel).OfType<string>().Select(glob => $"&{glob}").Distinct());
        string whose = owner.Length > 0 ? $"that table {owner} needs" : "that ActorSync needs for its own records";
        return $"Redis user '{user}' is denied {string.Join(", ", denied)} {whose}: ACL SETUSER {user} {string.Join(' ', rules.Select(Quoted))}";
    }

    static bool IsCommand(string said) => said.Contains("' command", StringComparison.Ordinal);

    /// <summary>The key or channel of an answer; null when it is the command that is denied.</summary>
    static string? Denied(string said)
    {
        int from = said.IndexOf('\'', StringComparison.Ordinal), to = said.LastIndexOf('\'');
        return IsCommand(said) || to <= from ? null : $"{(said.Contains("channel", StringComparison.Ordinal) ? "channel " : "")}{said[(from + 1)..to]}";
    }

    static string Rule(IReadOnlyList<string> arguments) => arguments[0] is "CLIENT" or "CONFIG" or "CLUSTER"
        ? $"{arguments[0]}|{arguments[1]}".ToLowerInvariant() : arguments[0].ToLowerInvariant();

    static string Quoted(string rule) => !rule.AsSpan().ContainsAny(" \"'\\") ? rule
        : $"\"{rule.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    static string Named(Question question) =>
        question.Owner.Length > 0 ? $"the right of table {question.Owner} to {question.Arguments[0]}" : $"the right to {question.Arguments[0]}";
}

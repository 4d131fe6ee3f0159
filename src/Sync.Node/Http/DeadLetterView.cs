using System.Globalization;
using System.Text;
using Sync.Engine.DeadLetters;
using Sync.Node.Hosting;

namespace Sync.Node.Http;

/// <summary>A dead letter as the HTTP API and <c>actorsync dlq</c> show it.</summary>
/// <param name="Id">For show and drop; sorts in the order of parking.</param>
/// <param name="At">When it was parked, or retried last.</param>
/// <param name="Table">schema.table.</param>
/// <param name="Kind">insert, update, delete or truncate.</param>
/// <param name="Key">The ordering key, for retry and drop.</param>
/// <param name="Position">Commit LSN and index in the transaction; empty for rows of a snapshot.</param>
/// <param name="Attempts">How often it was tried; 0 when it only waits behind another one of its key.</param>
/// <param name="Error">Why it is here.</param>
/// <param name="ParkedAt">When it was parked.</param>
/// <param name="Overtaken">Whether a later change of its key was applied, so that retry leaves it alone unless it is forced.</param>
/// <param name="Commands">What is still to run, for people: long values are cut. Only where one dead letter is shown.</param>
public sealed record DeadLetterView(
    string Id, DateTimeOffset At, string Table, string Kind, string Key, string Position, int Attempts, string Error, DateTimeOffset ParkedAt, bool Overtaken,
    string? Commands = null)
{
    public static DeadLetterView Of(DeadLetter letter, bool withCommands) => new(
        letter.Id ?? "", letter.At, letter.Table, letter.Kind.ToString().ToLowerInvariant(), Encoding.UTF8.GetString(letter.Key.Span),
        letter.Position == Contracts.Position.None ? "" : letter.Position.ToString(), letter.Attempts, letter.Error, letter.ParkedAt ?? letter.At, letter.IsOvertaken,
        withCommands ? Describe(letter) : null);

    static string Describe(DeadLetter letter) =>
        letter.Reference is { } reference ? Describe(reference) : CommandText.Describe(letter.Commands.Span, maxValueChars: 200, maxChars: 20_000);

    static string Describe(DeadLetterReference reference) => string.Create(CultureInfo.InvariantCulture,
        $"not kept, {reference.Bytes:N0} bytes are too large for {reference.Setting} ({reference.LimitBytes:N0}): {reference.Commands} of the row "
            + $"{(reference.Row.Length > 0 ? reference.Row : "without a primary key")}");
}

/// <param name="Entries">In the order of parking.</param>
/// <param name="Next">What to pass as <c>after</c> for the next page; null when this is the last.</param>
public sealed record DeadLetterPage(IReadOnlyList<DeadLetterView> Entries, string? Next)
{
    /// <summary>Most entries of one page.</summary>
    public const int Largest = 500;

    /// <summary>Asks for one more than is shown, to know whether there is another page.</summary>
    public static async Task<DeadLetterPage> ReadAsync(IDeadLetterReader reader, string? after, int count, CancellationToken cancellationToken)
    {
        var letters = await reader.ListAsync(after, count + 1, cancellationToken);
        string? next = letters.Count > count ? letters[count - 1].Id : null;
        return new DeadLetterPage([.. letters.Take(count).Select(l => DeadLetterView.Of(l, withCommands: false))], next);
    }
}

/// <param name="Key">The ordering key; null for all.</param>
/// <param name="Force">Also what was overtaken.</param>
public sealed record RetryRequest(string? Key = null, bool Force = false);

/// <param name="Applied">Dead letters that are in Redis now.</param>
/// <param name="Failed">Ordering keys whose first dead letter Redis refused again.</param>
/// <param name="NotTried">Ordering keys whose first dead letter was left alone; null where that is not known, and <paramref name="Failed"/> counts
/// both.</param>
/// <param name="Reason">Why the first of them was left alone; empty when none was.</param>
public sealed record RetryReply(int Applied, int Failed, int? NotTried = 0, string Reason = "")
{
    public static RetryReply Of(RetryOutcome outcome) => new(outcome.Applied, outcome.Failed, outcome.NotTried, outcome.Reason);
}

/// <summary>Exactly one of the three.</summary>
public sealed record DropRequest(string? Id = null, string? Key = null, bool All = false);

public sealed record DropReply(int Dropped);

/// <param name="Error">One sentence.</param>
/// <param name="Code">The exit code that <c>actorsync</c> would end with.</param>
public sealed record ErrorReply(string Error, int Code);

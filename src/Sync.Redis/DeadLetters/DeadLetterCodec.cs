using System.Globalization;
using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.DeadLetters;
using Sync.Redis.Protocol;

namespace Sync.Redis.DeadLetters;

/// <summary>How a <see cref="DeadLetter"/> stands in the stream: one field per property.</summary>
static class DeadLetterCodec
{
    /// <summary>What stands for commands that Redis can't take; the field is missing where they are kept.</summary>
    static RedisArgument[] Reference(DeadLetterReference? reference) => reference is null ? [] :
        ["row", reference.Row, "names", reference.Commands, "bytes", reference.Bytes, "setting", reference.Setting, "limit", reference.LimitBytes];

    public static RedisArgument[] ToAdd(string stream, DeadLetter letter) =>
    [
        "XADD", stream, "*",
        "position", letter.Position.ToString(),
        "table", letter.Table,
        "kind", letter.Kind.ToString().ToLowerInvariant(),
        "key", letter.Key,
        "commands", letter.Commands,
        "error", letter.Error,
        "at", Time(letter.At),
        "attempts", letter.Attempts,
        "overtaken", letter.IsOvertaken ? 1 : 0,
        .. Reference(letter.Reference),
    ];

    public static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>Reads an entry as XRANGE gives it, with what <paramref name="retries"/> adds.</summary>
    /// <exception cref="FormatException">The entry was not written by this store; the message names its id.</exception>
    public static DeadLetter Parse(RespValue entry, string? retries)
    {
        string id = entry.Items[0].AsString()!;
        var fields = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        var list = entry.Items[1].Items;
        for (int i = 0; i + 1 < list.Count; i += 2) fields[list[i].AsString()!] = list[i + 1].Bytes;
        ReadOnlyMemory<byte> Bytes(string name) =>
            fields.TryGetValue(name, out var value) ? value : throw new FormatException($"the dead letter {id} has no field '{name}'");
        string Text(string name) => Encoding.UTF8.GetString(Bytes(name).Span);
        long Size(string name) => long.TryParse(Text(name), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) ? bytes : throw Bad(name);
        FormatException Bad(string name) => new($"the dead letter {id} has a field '{name}' that can't be read");

        var letter = new DeadLetter
        {
            Id = id,
            Position = Position.TryParse(Text("position"), out var position) ? position : throw Bad("position"),
            Table = Text("table"),
            Kind = Enum.TryParse<ChangeKind>(Text("kind"), ignoreCase: true, out var kind) ? kind : throw Bad("kind"),
            Key = Bytes("key"),
            Commands = Bytes("commands"),
            Reference = fields.ContainsKey("setting")
                ? new DeadLetterReference(Text("row"), Text("names"), Size("bytes"), Text("setting"), Size("limit")) : null,
            Error = Text("error"),
            At = TryTime(Text("at"), out var at) ? at : throw Bad("at"),
            ParkedAt = at,
            Attempts = int.TryParse(Text("attempts"), NumberStyles.None, CultureInfo.InvariantCulture, out int attempts) ? attempts : throw Bad("attempts"),
            // Not there in entries of earlier versions.
            IsOvertaken = fields.TryGetValue("overtaken", out var overtaken) && overtaken.Span.SequenceEqual("1"u8),
        };

        // Written by the replay script: retries, commands done, time, error.
        string[] parts = retries?.Split(' ', 4) ?? [];
        return parts.Length == 4 && TryTime(parts[2], out var last) && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int more)
            ? letter with { Attempts = letter.Attempts + more, At = last, Error = CleanScriptError(parts[3]) }
            : letter;
    }

    /// <summary>Without the script's own name, which Redis 7 appends to an error that a script caused.</summary>
    public static string CleanScriptError(string error)
    {
        const string mark = " script: ";
        int script = error.LastIndexOf(mark, StringComparison.Ordinal);
        // Its name is a SHA-1; "ACL failure in script: …" says something.
        bool isName = script >= 0 && error.Length >= script + mark.Length + 40 && !error.AsSpan(script + mark.Length, 40).ContainsAnyExcept("0123456789abcdef");
        return (isName ? error[..script] : error).TrimEnd('.', ' ');
    }

    static bool TryTime(string text, out DateTimeOffset time) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
}

using System.Globalization;
using System.Text;
using Sync.Contracts.Configuration.Commands;
using Sync.Engine.DeadLetters;
using Sync.Engine.Mapping;

namespace Sync.Engine.Verification;

/// <summary>A Redis of one row: runs the row's commands on what they say, and forgets what can't be known. Used once per row.</summary>
sealed class StateModel(RowExpectation result, IReadOnlySet<string> written)
{
    readonly List<(byte[] Key, byte[]? Part)> blurred = [];
    readonly HashSet<byte[]> ragged = new(KeyBytesComparer.Instance);

    /// <summary>Runs what one command became: itself and, for a hash with NULLs, the removal of their fields.</summary>
    public void Run(StateCommand command, ReadOnlySpan<byte> bytes)
    {
        var reader = new CommandReader(bytes);
        while (reader.TryReadCommand(out int count))
        {
            byte[][] arguments = new byte[count][];
            for (int i = 0; i < count; i++) arguments[i] = reader.ReadArgument().ToArray();
            if (command.Doubt is null) Apply(command, Encoding.ASCII.GetString(arguments[0]), arguments);
            else Blur(command, arguments);
        }
    }

    /// <summary>Takes back what was said of places that are written in other ways, too.</summary>
    public void End()
    {
        foreach (var (key, part) in blurred)
        {
            if (part is null) result.Remove(key);
            else result.Find(key)?.Forget(part);
        }
        foreach (var expected in result.Keys)
            expected.IsWhole = expected is { Content: KeyContent.Hash, IsOwn: true } && !ragged.Contains(expected.Key) && !result.IsOpen(expected.Key);
    }

    void Apply(StateCommand command, string name, byte[][] a)
    {
        switch (name)
        {
            case "SET" or "SETEX" or "SETNX":
                Set(command, name, a);
                break;
            case "MSET":
                for (int i = 1; i + 1 < a.Length; i += 2) Key(command, a[i]).Become(KeyContent.Text, a[i + 1], command.IsVague(i));
                break;
            case "HSET":
                var hash = Part(command, a[1], KeyContent.Hash);
                if (!command.HasConstantFields) ragged.Add(a[1]);
                for (int i = 2; i + 1 < a.Length; i += 2)
                {
                    bool isTime = command.CommitTimeField is { } time && time.AsSpan().SequenceEqual(a[i]);
                    hash.Put(a[i], a[i + 1], isTime || command.IsVague(i) ? PartRule.Present : PartRule.Equal);
                }
                break;
            case "SADD":
                foreach (byte[] member in a.AsSpan(2)) Part(command, a[1], KeyContent.Set).Put(member, [], PartRule.Equal);
                break;
            case "ZADD":
                Members(command, a, 2, KeyContent.SortedSet);
                break;
            case "GEOADD":
                Members(command, a, 3, KeyContent.Places);
                break;
            case "JSON.SET" or "JSON.MERGE":
                Json(command, name, a);
                break;
            case "HDEL": Gone(command, a, KeyContent.Hash); break;
            case "SREM": Gone(command, a, KeyContent.Set); break;
            case "ZREM": Gone(command, a, KeyContent.SortedSet); break;
            case "EXPIRE" or "PEXPIRE" or "PERSIST":
                Life(command, name, a);
                break;
            default:
                foreach (var key in KeysOf(command, a)) Remove(command, key);
                break;
        }
    }

    void Set(StateCommand command, string name, byte[][] a)
    {
        byte[] value = name == "SETEX" ? a[3] : a[2];
        bool vague = command.IsVague(name == "SETEX" ? 2 : 1);
        var key = Key(command, a[1]);
        bool onlyFirst = name == "SETNX";
        long lifeMs = 0;
        bool keeps = false;
        if (name == "SETEX") lifeMs = Number(a[2]) is { } seconds ? 1000 * seconds : -1;
        for (int i = 3; name == "SET" && i < a.Length; i++)
        {
            string option = Encoding.UTF8.GetString(a[i]).ToUpperInvariant();
            if (option == "NX") onlyFirst = true;
            else if (option == "KEEPTTL") keeps = true;
            else if (option is "EX" or "PX" && i + 1 < a.Length) lifeMs = Number(a[++i]) is { } number ? (option == "EX" ? 1000 : 1) * number : -1;
        }
        key.Become(KeyContent.Text, value, onlyFirst || vague);
        if (lifeMs != 0 || keeps) key.Live(onlyFirst ? 0 : lifeMs);
    }

    void Members(StateCommand command, byte[][] a, int stride, KeyContent content)
    {
        var options = StateCommand.Options(command.Command);
        var rule = options.Any(o => o is "NX" or "GT" or "LT") ? PartRule.Present : PartRule.Equal;
        for (int i = 2 + options.Count; i + stride - 1 < a.Length; i += stride)
        {
            byte[] value = stride == 2 ? a[i] : [.. a[i], (byte)' ', .. a[i + 1]];
            bool vague = command.IsVague(i - 1) || (stride == 3 && command.IsVague(i));
            Part(command, a[1], content).Put(a[i + stride - 1], value, vague ? PartRule.Present : rule);
        }
    }

    void Json(StateCommand command, string name, byte[][] a)
    {
        var key = Key(command, a[1]);
        bool whole = a[2] is [(byte)'$' or (byte)'.'];
        if (key.Content != KeyContent.Json || (whole && name == "JSON.SET")) key.Become(KeyContent.Json);
        bool vague = command.IsVague(2) || a.Length > 4 || command.Command.Arguments[2].DependsOnHistory;
        key.Put(a[2], a[3], vague ? PartRule.Present : name == "JSON.MERGE" ? PartRule.Merged : PartRule.Equal);
    }

    void Gone(StateCommand command, byte[][] a, KeyContent content)
    {
        if (!IsWritten(command)) return;
        var key = Part(command, a[1], content);
        foreach (byte[] part in a.AsSpan(2))
        {
            if (command.OnlyUpdates && key.Claims(part, isPart: true)) blurred.Add((a[1], part));
            else key.Put(part, [], PartRule.Absent);
        }
    }

    /// <summary>Only the absence of what the table itself writes is a claim: other keys that it removes may be filled by anybody.</summary>
    void Remove(StateCommand command, byte[] key)
    {
        if (command.OnlyUpdates && result.Find(key)?.Claims([], isPart: false) == true) blurred.Add((key, null));
        else if (command.Command.Name is "DEL" or "UNLINK" or "GETDEL" && command.IsOwn && IsWritten(command)) Key(command, key).Become(KeyContent.Nothing);
        else if (result.Find(key) is not null) result.Remove(key);
    }

    bool IsWritten(StateCommand command) => command.Command.Name == "HSET" || command.Command.Keys.Any(key => written.Contains(key.Template.Source));

    void Life(StateCommand command, string name, byte[][] a)
    {
        if (result.Find(a[1]) is not { } key || key.Content == KeyContent.Nothing) return;
        if (name == "PERSIST") (key.LifeMs, key.MayHaveEnded) = (0, false);
        else if (a.Length > 3 || command.IsVague(1) || Number(a[2]) is not { } number) key.Live(0);
        else if (number <= 0) key.Become(KeyContent.Nothing);
        else key.Live(name == "EXPIRE" ? 1000 * number : number);
    }

    /// <summary>A command whose effect is not known: what it may touch is not known either.</summary>
    void Blur(StateCommand command, byte[][] a)
    {
        foreach (byte[] key in KeysOf(command, a))
        {
            result.Open(key);
            switch (command.Command.Nature)
            {
                case CommandNature.Publish: break;
                case CommandNature.Remove: result.Remove(key); break;
                case CommandNature.Expire: result.Find(key)?.Live(0); break;
                default:
                    byte[][] parts = PartsOf(command.Command, a);
                    if (parts.Length == 0) blurred.Add((key, null));
                    foreach (byte[] part in parts) blurred.Add((key, part));
                    break;
            }
        }
    }

    static byte[][] PartsOf(CommandPlan command, byte[][] a) => command.Name switch
    {
        "HSET" => [.. a.Skip(2).Where((_, i) => i % 2 == 0)],
        "HINCRBY" or "HINCRBYFLOAT" => [a[2]],
        "ZINCRBY" => [a[3]],
        "SADD" => [.. a.Skip(2)],
        "ZADD" => [.. a.Skip(2 + StateCommand.Options(command).Count).Where((_, i) => i % 2 == 1)],
        "GEOADD" => [.. a.Skip(2 + StateCommand.Options(command).Count).Where((_, i) => i % 3 == 2)],
        _ => [],
    };

    static IEnumerable<byte[]> KeysOf(StateCommand command, byte[][] a)
    {
        CommandCatalog.TryGet(command.Command.Name, out var info);
        return a.Where((_, i) => info!.IsKey(i));
    }

    ExpectedKey Key(StateCommand command, byte[] key)
    {
        var expected = result.Of(key);
        expected.IsOwn = command.IsOwn;
        return expected;
    }

    ExpectedKey Part(StateCommand command, byte[] key, KeyContent content)
    {
        var expected = Key(command, key);
        bool sorted = content == KeyContent.SortedSet && expected.Content == KeyContent.Places;
        if (expected.Content != content && !sorted) expected.Become(content);
        return expected;
    }

    static long? Number(ReadOnlySpan<byte> text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) && Math.Abs(number) < long.MaxValue / 1000 ? number : null;
}

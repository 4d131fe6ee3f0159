using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>What to do about a key that would have a hole because a value in it is NULL or unknown.</summary>
enum HolePolicy
{
    /// <summary>A current value is an error, an old one skips the command: what was never written can't be taken back.</summary>
    Refuse,
    /// <summary>Skip the command: it only tidies up.</summary>
    Skip,
}

/// <summary>One command of a rule, ready to be written for any row of its table.</summary>
/// <param name="name">Upper case.</param>
/// <param name="arguments">What follows the name.</param>
/// <param name="isKey">Which of the arguments name keys.</param>
/// <param name="holes">What to do when a key can't be formed.</param>
/// <param name="baseMs">A life time in milliseconds appended as the last argument; 0 for none.</param>
/// <param name="spread">Extra milliseconds, by key, on top of the life time; 0 for none.</param>
/// <param name="unknown">What to do about a difference from an old value that was not sent.</param>
sealed class CommandPlan(
    string name, BoundTemplate[] arguments, bool[] isKey, HolePolicy holes, long baseMs = 0, long spread = 0, UnknownOldValue unknown = UnknownOldValue.Count)
{
    readonly byte[] nameBulk = NameBulk(name);
    readonly CommandNature nature = CommandCatalog.TryGet(name, out var info) ? info.Nature : CommandNature.Write;
    readonly int fixedArguments = arguments.Count(a => !a.Expands);
    readonly bool isCompleteWithoutLists = IsCompleteWithoutLists(name, arguments);
    readonly bool expands = arguments.Any(a => a.Expands);
    readonly BoundTemplate[] keys = [.. arguments.Where((_, i) => isKey[i])];
    readonly int[] keyColumns = [.. arguments.Where((_, i) => isKey[i]).SelectMany(key => key.CurrentColumns.Concat(key.OldColumns)).Distinct()];
    readonly BoundTemplate? hashPairs = name == "HSET" ? Array.Find(arguments, a => a.IsPairs) : null;

    /// <summary>Whether it writes the row's own hash: one that comes anew must not lack what the update left alone.</summary>
    readonly bool ownsHash = name == "HSET" && arguments[0].Template.DependsOnRow && Array.Exists(arguments, a => a.IsPairs);

    /// <summary>Whether each run is an event of its own, which must not go without a trace.</summary>
    readonly bool tells = name is "XADD" or "LPUSH" or "RPUSH";

    public string Name => name;

    public BoundTemplate[] Arguments => arguments;

    /// <summary>As it would stand in a configuration.</summary>
    public string Source => string.Join(' ', [name, .. arguments.Select(a => a.Template.Source), .. baseMs > 0 ? [$"{baseMs}"] : Array.Empty<string>()]);

    public CommandNature Nature => nature;

    /// <summary>Whether the move of a row leaves all its keys as they are.</summary>
    public bool KeysStay(in RowImage ending)
    {
        foreach (int column in keyColumns)
            if (!ending.Stays(column)) return false;
        return true;
    }

    /// <summary>Whether it counts the row's values up and down, so that what it counted under a key is state of the table's rows.</summary>
    public bool CountsDifferences => nature == CommandNature.Accumulate && Array.Exists(arguments, a => a.HoldsDifference);

    /// <summary>Whether it adds to a number.</summary>
    public bool Counts => nature == CommandNature.Accumulate && name is not ("XADD" or "LPUSH" or "RPUSH" or "APPEND");

    /// <summary>Whether it tells that something happened, or keeps a log of it: what was told once is not told again.</summary>
    public bool Tells => nature == CommandNature.Publish || (nature == CommandNature.Accumulate && !Counts);

    public IEnumerable<BoundTemplate> Keys => keys;

    /// <summary>
    /// Appends the command, or two, or none.
    /// </summary>
    /// <returns>How many commands were written; -1 when the row has to be read again; -2 when it is poison.</returns>
    public int Write(MappedChange target, in RowImage row)
    {
        // The end of the row follows. Until then what it wrote stays as it was: better than a value of which a part is not to be had any more.
        if (row.IsGone && nature == CommandNature.Write && keys[0].Template.DependsOnRow && LeavesOut(row)) return 0;
        for (int i = 0; i < arguments.Length; i++)
        {
            if (arguments[i].Expands) continue;
            var obstacles = arguments[i].Check(row);
            if ((obstacles & Obstacles.Unchanged) != 0) return -1;
            if (!isKey[i] || (obstacles & (Obstacles.Hole | Obstacles.OldHole)) == 0) continue;
            if (holes == HolePolicy.Skip) return 0;
            if ((obstacles & Obstacles.Hole) == 0)
            {
                target.MissingOldValues++;
                return 0;
            }
            target.Error = $"{name}: a value in the key '{arguments[i].Template.Source}' is NULL or was not sent by PostgreSQL";
            return -2;
        }
        if (!expands) return WriteArguments(target, row, fixedArguments) ? 1 : -2;
        int expanded = 0;
        bool isWhole = false;
        foreach (var argument in arguments)
        {
            if (!argument.Expands) continue;
            int count = argument.ExpandedCount(row);
            if (argument == hashPairs) isWhole = count == 2 * argument.Listed.Length;
            expanded += count;
        }
        if (ownsHash && !isWhole && hashPairs!.LeavesOut(row)) return -1;
        if (tells && expanded == 0 && !isCompleteWithoutLists) return WriteBare(target, row);
        int written = 0;
        if (expanded > 0 || isCompleteWithoutLists)
        {
            if (!WriteArguments(target, row, fixedArguments + expanded)) return -2;
            written++;
        }
        // Behind the HSET: a hash that is never empty in between keeps its life time.
        return hashPairs is null || isWhole ? written : written + WriteRemovals(target, row);
    }

    bool LeavesOut(in RowImage row)
    {
        foreach (var argument in arguments)
            if (argument.LeavesOut(row)) return true;
        return false;
    }

    /// <summary>An event none of whose columns has a value: they stand in it with empty texts, because Redis takes no entry without a field.</summary>
    int WriteBare(MappedChange target, in RowImage row)
    {
        int count = fixedArguments;
        foreach (var argument in arguments)
        {
            if (!argument.Expands) continue;
            if (argument.LeavesOut(row) && !row.IsGone) return -1;
            count += 2 * argument.Listed.Length;
        }
        return WriteArguments(target, row, count, isBare: true) ? 1 : -2;
    }

    /// <summary>Whether Redis would take the command when its list forms have nothing to say: fields of its own stand beside them.</summary>
    static bool IsCompleteWithoutLists(string name, BoundTemplate[] arguments)
    {
        int first = name == "XADD" ? 1 + StreamIdIndex(arguments) : 1;
        return arguments.Skip(first).Any(a => !a.Expands);
    }

    /// <summary>XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] id … (Redis docs, XADD).</summary>
    static int StreamIdIndex(BoundTemplate[] arguments)
    {
        bool Is(int at, params string[] words) => at < arguments.Length && words.Contains(arguments[at].Template.Source, StringComparer.OrdinalIgnoreCase);
        int at = 1;
        if (Is(at, "NOMKSTREAM")) at++;
        if (!Is(at, "MAXLEN", "MINID")) return at;
        at += Is(at + 1, "=", "~") ? 3 : 2;
        return Is(at, "LIMIT") ? at + 2 : at;
    }

    bool WriteArguments(MappedChange target, in RowImage row, int count, bool isBare = false)
    {
        var output = target.Commands;
        output.ArrayHeader(1 + count + (baseMs > 0 ? 1 : 0));
        output.Raw(nameBulk);
        foreach (var argument in arguments)
        {
            if (argument.Expands && isBare) argument.WriteBare(output);
            else if (argument.Expands) argument.WriteExpanded(output, target.Scratch, row);
            else if (argument.WriteBulk(output, target.Scratch, row) is var found and not Obstacles.None && !Accepts(target, argument, found)) return false;
        }
        if (baseMs > 0) WriteLifetime(target, row);
        return true;
    }

    /// <summary>Whether the command can be sent with what was met while an argument was written; if not, why is told.</summary>
    bool Accepts(MappedChange target, BoundTemplate argument, Obstacles found)
    {
        string source = argument.Template.Source;
        if ((found & Obstacles.NotANumber) != 0) target.Error = $"{name}: '{source}' is no difference of two finite numbers";
        else if ((found & Obstacles.NotText) != 0)
            target.Error = $"{name}: a value in '{source}' holds bytes that are no UTF-8, which JSON can't carry; {{pairs:…}} and {{column}} take bytes as they are";
        else if ((found & Obstacles.UnknownOld) == 0) return true;
        else if (unknown == UnknownOldValue.Park) target.Error = $"{name}: PostgreSQL did not send the old value that '{source}' needs (onUnknownOldValue is park)";
        else
        {
            target.MissingOldValues++;
            return true;
        }
        return false;
    }

    /// <summary>Spread by key and not by chance, so that a replay gives the same bytes.</summary>
    void WriteLifetime(MappedChange target, in RowImage row)
    {
        long ms = baseMs;
        if (spread > 0)
        {
            target.Scratch.Clear();
            arguments[0].WriteRaw(target.Scratch, row);
            ms += (long)(StableHash.Of(target.Scratch.Written) % ((ulong)spread + 1));
        }
        target.Scratch.Clear();
        target.Scratch.Number(ms);
        target.Commands.Bulk(target.Scratch.Written);
    }

    /// <summary>A column that is NULL must not stay in the hash with the value it had: its field is deleted beside the HSET.</summary>
    int WriteRemovals(MappedChange target, in RowImage row)
    {
        int nulls = 0;
        foreach (ref readonly var listed in hashPairs!.Listed.AsSpan())
            if (listed.Column >= 0 && row.State(listed.Column) == CellState.Null) nulls++;
        if (nulls == 0) return 0;
        var output = target.Commands;
        output.ArrayHeader(2 + nulls);
        output.Raw("$4\r\nHDEL\r\n"u8);
        arguments[0].WriteBulk(output, target.Scratch, row);
        foreach (ref readonly var listed in hashPairs.Listed.AsSpan())
            if (listed.Column >= 0 && row.State(listed.Column) == CellState.Null) output.Raw(listed.FieldBulk);
        return 1;
    }

    static byte[] NameBulk(string name)
    {
        var writer = new RespWriter(32);
        writer.Bulk(name);
        byte[] bulk = writer.Written.ToArray();
        writer.Release();
        return bulk;
    }
}

/// <summary>Commands that run together when a condition holds.</summary>
/// <param name="commands">In order.</param>
/// <param name="condition">Null means always.</param>
/// <param name="whenUnknown">Whether they also run when the condition can't be decided, as for tidying up after a row whose old values are not known.</param>
/// <param name="source">The condition as configured; null for none, and for a rule that we added ourselves.</param>
sealed class RulePlan(CommandPlan[] commands, ConditionPlan? condition, bool whenUnknown = false, Condition? source = null)
{
    public CommandPlan[] Commands => commands;

    public Condition? Source => source;

    /// <summary>The rule with only some of its commands, perhaps none.</summary>
    public RulePlan Only(Func<CommandPlan, bool> wanted) => new([.. commands.Where(wanted)], condition, whenUnknown, source);

    public bool IsConditional => condition is not null;

    /// <summary>Whether the condition asks for an unchanged TOASTed value that PostgreSQL did not send.</summary>
    public bool Lacks(in RowImage row) => condition?.Lacks(row) == true;

    public bool Applies(in RowImage row, RespWriter scratch) =>
        condition is null || condition.Evaluate(row, scratch) is var truth && (truth == Truth.True || (whenUnknown && truth == Truth.Unknown));
}

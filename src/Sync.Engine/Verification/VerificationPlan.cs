using Sync.Contracts;
using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;

namespace Sync.Engine.Verification;

/// <summary>
/// What of a table can be compared between PostgreSQL and Redis, and how: a row goes in, what Redis must hold because of it comes out. Pure.
/// Not thread-safe: it has scratch memory.
/// </summary>
public sealed class VerificationPlan
{
    readonly TablePlan plan;
    readonly StateRule[] rules;
    readonly HashSet<string> written;
    readonly IReadOnlyList<WrittenPlace> own;
    readonly WrittenPlace[] rivals;
    readonly MappedChange scratch = new();

    VerificationPlan(TablePlan plan, VerificationCompiler compiler, IEnumerable<WrittenPlace> others)
    {
        this.plan = plan;
        rules = compiler.Rules();
        Probes = compiler.Probes();
        NotVerifiable = compiler.NotVerifiable;
        NotSearched = compiler.NotSearched;
        written = [.. States().SelectMany(c => c.Command.Keys).Select(k => k.Template.Source)];
        own = WrittenPlace.Of(plan);
        rivals = [.. others.Where(o => own.Any(o.MayMeet))];
    }

    /// <summary>Commands whose result does not follow from the rows, each with the reason.</summary>
    public IReadOnlyList<string> NotVerifiable { get; }

    /// <summary>Commands whose keys are not searched for what no row put there, each with the reason.</summary>
    public IReadOnlyList<string> NotSearched { get; }

    /// <summary>Where to look for what no row put there.</summary>
    public IReadOnlyList<ExtraProbe> Probes { get; }

    /// <summary>Whether there is anything that a row says.</summary>
    public bool HasState => States().Any(c => c.Doubt is null);

    /// <summary>Judges a table.</summary>
    /// <param name="plan">Its mapping.</param>
    /// <param name="uniqueColumns">Columns that identify a row beside the primary key: those of its unique indexes, as indexes into the relation.</param>
    /// <param name="others">Where other tables write. What both may have written is not compared: who was last is in no row.</param>
    public static VerificationPlan Create(TablePlan plan, IReadOnlyList<IReadOnlyList<int>> uniqueColumns, IEnumerable<WrittenPlace> others) =>
        new(plan, new VerificationCompiler(plan, uniqueColumns), others);

    /// <summary>What Redis must hold because of a row.</summary>
    /// <param name="present">The row as it is.</param>
    /// <param name="insists">Whether what may have come to the end of its life has to be there nevertheless.</param>
    public RowExpectation Expect(in RowChange present, bool insists = false)
    {
        var result = new RowExpectation();
        scratch.Clear(StableHash.Begin);
        var row = RowImage.After(present);
        if (plan.Parts.When is { } when && when.Evaluate(row, scratch.Scratch) != Truth.True) return result;
        var model = new StateModel(result, written);
        foreach (var rule in rules)
        {
            bool applies = !rule.LooksBack && rule.Rule.Applies(row, scratch.Scratch);
            foreach (var command in rule.Commands)
            {
                if (!applies) OpenKeys(command.Command, row, result);
                // What was counted earlier stays, whether or not the condition still holds.
                if (!applies && command.Command.Nature != CommandNature.Accumulate) continue;
                int from = scratch.Commands.Length;
                int count = command.Command.Write(scratch, row);
                if (count == -2 && (!applies || command.OnlyUpdates)) continue;
                if (count == -2)
                {
                    result.IsPoison = true;
                    return result;
                }
                if (count > 0) model.Run(command, scratch.Commands.Written[from..]);
            }
        }
        model.End();
        if (insists)
            foreach (var key in result.Keys) key.Insist();
        return result;
    }

    /// <summary>The ordering key under which the row's changes would be parked.</summary>
    public byte[] OrderingKey(in RowChange row)
    {
        plan.Refuse(row, scratch, "");
        return scratch.Key(0).ToArray();
    }

    /// <summary>
    /// Whether another writer than this row may stand behind a difference: another table, or another template of this one whose keys look
    /// the same. Who was last is in no row then, so that nothing can be said.
    /// </summary>
    public bool IsContested(StateDifference difference)
    {
        string key = LosslessText.GetString(difference.Key);
        string? part = difference.Part is null ? null : LosslessText.GetString(difference.Part);
        return Array.Exists(rivals, r => r.Touches(key, part)) || IsAmbiguous(key);
    }

    /// <summary>The same for all that may differ in a key, for whoever compares it without this plan.</summary>
    /// <returns>The places of other tables that may stand in the key; null when nothing can be said of the key at all.</returns>
    public IReadOnlyList<WrittenPlace>? RivalsIn(string key)
    {
        WrittenPlace[] found = Array.FindAll(rivals, r => r.Key.Matches(key));
        return IsAmbiguous(key) || Array.Exists(found, r => r.Parts is null) ? null : found;
    }

    bool IsAmbiguous(string key) =>
        own.Count > 1 && own.Where(p => p.Key.Matches(key)).GroupBy(p => p.Key.Glob, (_, same) => same.Select(p => p.Source).Distinct().Count()).Any(count => count > 1);

    /// <summary>
    /// The rows that can have put there what was found at a probe's place, each as its primary key in PostgreSQL's text; empty when the mapping
    /// makes no such text. Null when it can't be told: there are too many readings, or something else may have written there.
    /// </summary>
    public IReadOnlyList<string[]>? Candidates(ExtraProbe probe, string key, string? part)
    {
        if (probe.Rows(key, part) is not { } rows) return null;
        if (rows.Count == 0) return rows;
        if (Array.Exists(rivals, r => r.Touches(key, part))) return null;
        var all = rows.ToList();
        foreach (var place in own.Where(p => p.Source != probe.Key.Source && p.Touches(key, part)).DistinctBy(p => p.Source))
        {
            var other = Probes.FirstOrDefault(p => p.Key.Source == place.Source && p.Part is null == part is null);
            if (other?.Rows(key, part) is not { } more) return null;
            all.AddRange(more);
        }
        foreach (var other in Probes.Where(p => p != probe && p.Key.Source == probe.Key.Source && p.Part is not null && part is not null))
        {
            if (other.Rows(key, part) is not { } more) return null;
            all.AddRange(more);
        }
        return all;
    }

    IEnumerable<StateCommand> States() => rules.SelectMany(r => r.Commands).Where(c => StateCommand.Keeps(c.Command.Nature));

    void OpenKeys(CommandPlan command, in RowImage row, RowExpectation result)
    {
        foreach (var key in command.Keys)
        {
            if (key.Check(row) != Obstacles.None) continue;
            scratch.Scratch.Clear();
            key.WriteRaw(scratch.Scratch, row);
            result.Open(scratch.Scratch.Written.ToArray());
        }
    }
}

using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Rows;

namespace Sync.Engine.Mapping;

/// <param name="Insert">Rules for inserts and snapshot rows.</param>
/// <param name="Update">Rules for updates that keep the row's keys.</param>
/// <param name="Delete">Rules for deletes and for the old half of a move.</param>
/// <param name="Truncate">Rules for TRUNCATE.</param>
/// <param name="When">The table's filter; null for none.</param>
/// <param name="MovingColumns">Columns whose change moves the row to other keys.</param>
/// <param name="OrderingColumns">Columns that identify the row for ordering; empty when the whole table is one ordering key.</param>
/// <param name="OrderingTemplate">The table's own <c>key:</c>, which replaces the ordering columns.</param>
/// <param name="OrderingPrefix">The table's name.</param>
sealed record PlanParts(
    RulePlan[] Insert, RulePlan[] Update, RulePlan[] Delete, RulePlan[] Truncate, ConditionPlan? When,
    int[] MovingColumns, int[] OrderingColumns, BoundTemplate? OrderingTemplate, byte[] OrderingPrefix);

/// <summary>
/// All that is to be done for the rows of one table, resolved against one version of its relation. Pure: a row goes in, commands and
/// ordering keys come out. Immutable, so any number of readers may share it.
/// </summary>
public sealed class TablePlan
{
    readonly PlanParts parts;

    internal TablePlan(TableConfig table, Relation relation, PlanParts parts)
    {
        Table = table;
        Relation = relation;
        this.parts = parts;
    }

    public TableConfig Table { get; }
    public Relation Relation { get; }

    /// <summary>The keys whose content is made of this table's rows; empty for a table that only counts, tells or removes.</summary>
    public IReadOnlyList<KeyPattern> Keys => [.. parts.Insert.Concat(parts.Update).SelectMany(rule => rule.Commands)
        .Where(command => CommandCatalog.TryGet(command.Name, out var info) && info.Nature is CommandNature.Write or CommandNature.AddMember)
        .SelectMany(command => command.Keys).Select(key => key.ToPattern(Relation)).DistinctBy(pattern => pattern.Glob)];

    /// <summary>What a TRUNCATE of the table asks for.</summary>
    public TruncateMode TruncateMode => Table.Truncate.Mode;

    /// <summary>Turns a row into commands. <paramref name="result"/> is emptied first.</summary>
    public MapOutcome Map(in RowChange change, MappedChange result)
    {
        result.Clear();
        switch (change.Kind)
        {
            case ChangeKind.Insert: return MapOne(RowImage.Of(change), parts.Insert, result, removal: false);
            case ChangeKind.Delete: return MapOne(RowImage.Of(change), parts.Delete, result, removal: true);
            case ChangeKind.Truncate: return MapOne(RowImage.Of(change), parts.Truncate, result, removal: false);
        }
        var row = RowImage.Of(change);
        if (Moves(row)) return MapMove(change, result);
        if (parts.When is not null)
        {
            bool wanted = parts.When.Evaluate(row, result.Scratch) == Truth.True;
            var before = RowImage.Before(change);
            var wantedBefore = change.Old.IsPresent ? parts.When.Evaluate(before, result.Scratch) : Truth.Unknown;
            if (!wanted) return wantedBefore == Truth.False ? MapOutcome.Nothing : MapOne(before, parts.Delete, result, removal: true, filtered: true);
            if (wantedBefore == Truth.False) return MapOne(RowImage.After(change), parts.Insert, result, removal: false, filtered: true);
        }
        return MapUpdate(change, row, result);
    }

    bool Moves(in RowImage row)
    {
        foreach (int column in parts.MovingColumns)
            if (row.Changed(column)) return true;
        return false;
    }

    /// <summary>The old keys end first, then the new ones begin: two change sets, because they may have different ordering keys.</summary>
    MapOutcome MapMove(in RowChange change, MappedChange result)
    {
        var ending = MapOne(RowImage.Before(change), parts.Delete, result, removal: true);
        if (ending is MapOutcome.Poison or MapOutcome.NeedsReread) return ending;
        if (ending == MapOutcome.Nothing)
        {
            int keyAt = result.Keys.Length;
            WriteOrderingKey(result, RowImage.Before(change));
            result.Close(result.Commands.Length, 0, keyAt);
        }
        var beginning = MapOne(RowImage.After(change), parts.Insert, result, removal: false, moved: true);
        return beginning == MapOutcome.Nothing ? ending : beginning;
    }

    /// <summary>An ordinary update; one that only changes a <c>key:</c> of the table's own still has to wait for the old key's changes.</summary>
    MapOutcome MapUpdate(in RowChange change, in RowImage row, MappedChange result)
    {
        if (parts.OrderingTemplate is not null && change.Old.IsPresent)
        {
            int keyAt = result.Keys.Length;
            WriteOrderingKey(result, RowImage.Before(change));
            int length = result.Keys.Length - keyAt;
            WriteOrderingKey(result, row);
            bool same = result.Keys.Slice(keyAt, length).SequenceEqual(result.Keys.Slice(keyAt + length, result.Keys.Length - keyAt - length));
            result.Keys.Truncate(keyAt + (same ? 0 : length));
            if (!same) result.Close(result.Commands.Length, 0, keyAt);
        }
        var outcome = MapOne(row, parts.Update, result, removal: false, filtered: true);
        return outcome;
    }

    MapOutcome MapOne(in RowImage row, RulePlan[] rules, MappedChange result, bool removal, bool filtered = false, bool moved = false)
    {
        if (rules.Length == 0) return MapOutcome.Nothing;
        if (parts.When is not null && !filtered && row.Kind != ChangeKind.Truncate)
        {
            var wanted = parts.When.Evaluate(row, result.Scratch);
            if (wanted == Truth.False || (wanted == Truth.Unknown && !removal)) return MapOutcome.Nothing;
        }
        // A row under a new key has nothing there yet: fields that the update left alone must be written too.
        if (moved && HasUnchanged(row)) return MapOutcome.NeedsReread;
        int from = result.Commands.Length, commands = 0;
        foreach (var rule in rules)
        {
            if (!rule.Applies(row, result.Scratch)) continue;
            foreach (var command in rule.Commands)
            {
                int written = command.Write(result, row);
                if (written == -1) return MapOutcome.NeedsReread;
                if (written == -2)
                {
                    Poisoned(row, result, from);
                    return MapOutcome.Poison;
                }
                commands += written;
            }
        }
        if (commands == 0) return MapOutcome.Nothing;
        int keyAt = result.Keys.Length;
        WriteOrderingKey(result, row);
        result.Close(from, commands, keyAt);
        return MapOutcome.Mapped;
    }

    /// <summary>Leaves the ordering key, so that the change can be parked under it, and no commands.</summary>
    void Poisoned(in RowImage row, MappedChange result, int from)
    {
        result.Commands.Truncate(from);
        int keyAt = result.Keys.Length;
        WriteOrderingKey(result, row);
        result.Close(from, 0, keyAt);
    }

    static bool HasUnchanged(in RowImage row)
    {
        for (int i = 0; i < row.Relation.Columns.Count; i++)
            if (row.State(i) == CellState.Unchanged) return true;
        return false;
    }

    void WriteOrderingKey(MappedChange result, in RowImage row)
    {
        if (parts.OrderingTemplate is not null)
        {
            parts.OrderingTemplate.WriteRaw(result.Keys, row);
            return;
        }
        result.Keys.Raw(parts.OrderingPrefix);
        foreach (int column in parts.OrderingColumns)
        {
            result.Keys.Byte((byte)':');
            result.Keys.Raw(row.Value(column));
        }
    }
}

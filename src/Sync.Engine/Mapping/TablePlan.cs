using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Encoding;

namespace Sync.Engine.Mapping;

/// <summary>
/// All that is to be done for the rows of one table, resolved against one version of its relation. Pure: a row goes in, commands and
/// ordering keys come out. Immutable, so any number of readers may share it.
/// </summary>
public sealed class TablePlan
{
    internal required RulePlan[] Insert { get; init; }
    internal required RulePlan[] Update { get; init; }
    internal required RulePlan[] Delete { get; init; }
    internal required RulePlan[] Truncate { get; init; }
    internal required ConditionPlan? When { get; init; }

    /// <summary>Columns whose change moves the row to other keys.</summary>
    internal required int[] MovingColumns { get; init; }

    /// <summary>Columns that identify the row for ordering; empty when the whole table is one ordering key.</summary>
    internal required int[] OrderingColumns { get; init; }

    /// <summary>The table's own <c>key:</c>, which replaces <see cref="OrderingColumns"/>.</summary>
    internal required BoundTemplate? OrderingTemplate { get; init; }

    internal required byte[] OrderingPrefix { get; init; }

    public required TableConfig Table { get; init; }
    public required Relation Relation { get; init; }

    /// <summary>What a TRUNCATE of the table asks for.</summary>
    public TruncateMode TruncateMode => Table.Truncate.Mode;

    /// <summary>Turns a row into commands. <paramref name="result"/> is emptied first.</summary>
    public MapOutcome Map(in RowChange change, MappedChange result)
    {
        result.Clear();
        switch (change.Kind)
        {
            case ChangeKind.Insert: return MapOne(RowImage.Of(change), Insert, result, removal: false);
            case ChangeKind.Delete: return MapOne(RowImage.Of(change), Delete, result, removal: true);
            case ChangeKind.Truncate: return MapOne(RowImage.Of(change), Truncate, result, removal: false);
        }
        var row = RowImage.Of(change);
        if (Moves(row)) return MapMove(change, result);
        if (When is not null)
        {
            bool wanted = When.Evaluate(row, result.Scratch) == Truth.True;
            var before = RowImage.Before(change);
            var wantedBefore = change.Old.IsPresent ? When.Evaluate(before, result.Scratch) : Truth.Unknown;
            if (!wanted) return wantedBefore == Truth.False ? MapOutcome.Nothing : MapOne(before, Delete, result, removal: true, filtered: true);
            if (wantedBefore == Truth.False) return MapOne(RowImage.After(change), Insert, result, removal: false, filtered: true);
        }
        return MapUpdate(change, row, result);
    }

    bool Moves(in RowImage row)
    {
        foreach (int column in MovingColumns)
            if (row.Changed(column)) return true;
        return false;
    }

    /// <summary>The old keys end first, then the new ones begin: two change sets, because they may have different ordering keys.</summary>
    MapOutcome MapMove(in RowChange change, MappedChange result)
    {
        var ending = MapOne(RowImage.Before(change), Delete, result, removal: true);
        if (ending is MapOutcome.Poison or MapOutcome.NeedsReread) return ending;
        if (ending == MapOutcome.Nothing)
        {
            int keyAt = result.Keys.Length;
            WriteOrderingKey(result, RowImage.Before(change));
            result.Close(result.Commands.Length, 0, keyAt);
        }
        var beginning = MapOne(RowImage.After(change), Insert, result, removal: false, moved: true);
        return beginning == MapOutcome.Nothing ? ending : beginning;
    }

    /// <summary>An ordinary update; one that only changes a <c>key:</c> of the table's own still has to wait for the old key's changes.</summary>
    MapOutcome MapUpdate(in RowChange change, in RowImage row, MappedChange result)
    {
        if (OrderingTemplate is not null && change.Old.IsPresent)
        {
            int keyAt = result.Keys.Length;
            WriteOrderingKey(result, RowImage.Before(change));
            int length = result.Keys.Length - keyAt;
            WriteOrderingKey(result, row);
            bool same = result.Keys.Slice(keyAt, length).SequenceEqual(result.Keys.Slice(keyAt + length, result.Keys.Length - keyAt - length));
            result.Keys.Truncate(keyAt + (same ? 0 : length));
            if (!same) result.Close(result.Commands.Length, 0, keyAt);
        }
        var outcome = MapOne(row, Update, result, removal: false, filtered: true);
        return outcome;
    }

    MapOutcome MapOne(in RowImage row, RulePlan[] rules, MappedChange result, bool removal, bool filtered = false, bool moved = false)
    {
        if (rules.Length == 0) return MapOutcome.Nothing;
        if (When is not null && !filtered && row.Kind != ChangeKind.Truncate)
        {
            var wanted = When.Evaluate(row, result.Scratch);
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
        if (OrderingTemplate is not null)
        {
            OrderingTemplate.WriteRaw(result.Keys, row);
            return;
        }
        result.Keys.Raw(OrderingPrefix);
        foreach (int column in OrderingColumns)
        {
            result.Keys.Byte((byte)':');
            result.Keys.Raw(row.Value(column));
        }
    }
}

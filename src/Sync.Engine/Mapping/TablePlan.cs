using System.Text;
using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;

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
    int[] MovingColumns, int[] OrderingColumns, BoundTemplate? OrderingTemplate, byte[] OrderingPrefix)
{
    /// <summary>Whether PostgreSQL withholds an old value that the table's own <c>key:</c> needs.</summary>
    public bool IsOldOrderUnknown { get; init; }

    /// <summary>Deletions of whole keys that every insert writes: not needed when a move leaves the key as it is.</summary>
    public required IReadOnlySet<CommandPlan> Rewritten { get; init; }
}

/// <summary>
/// All that is to be done for the rows of one table, resolved against one version of its relation. Pure: a row goes in, commands and
/// ordering keys come out. Immutable, so any number of readers may share it.
/// </summary>
public sealed class TablePlan
{
    readonly PlanParts parts;
    readonly StableHash.Seed orderingSeed;
    readonly bool[] orderingEscapes;

    internal TablePlan(TableConfig table, Relation relation, PlanParts parts)
    {
        Table = table;
        Relation = relation;
        this.parts = parts;
        orderingEscapes = CompositeKey.Escapes(relation, parts.OrderingColumns);
        orderingSeed = parts.OrderingTemplate is null ? StableHash.Behind(parts.OrderingPrefix) : StableHash.Begin;
    }

    public TableConfig Table { get; }
    public Relation Relation { get; }

    internal PlanParts Parts => parts;

    /// <summary>
    /// The keys whose content is made of the rows that are in the table now: what is written, listed, or counted by differences. Empty for a
    /// table that only keeps logs, tells or removes.
    /// </summary>
    public IReadOnlyList<KeyPattern> Keys => Patterns(HoldsRows);

    /// <summary>The same, and the keys of numbers that inserts add to: a copy of all rows counts them anew.</summary>
    public IReadOnlyList<KeyPattern> CountedKeys =>
        [.. Keys.Concat(AddedKeys).DistinctBy(pattern => pattern.Glob)];

    /// <summary>The keys of numbers that a copy adds to: one that broke off has added its part.</summary>
    public IReadOnlyList<KeyPattern> AddedKeys =>
        [.. parts.Insert.SelectMany(rule => rule.Commands).Where(c => c.Counts).SelectMany(c => c.Keys).Select(key => key.ToPattern(Relation)).DistinctBy(pattern => pattern.Glob)];

    /// <summary>
    /// Whether a copy of all rows counts what the table counts: differences are the rows' own, while a number that every insert adds to knows of rows
    /// that are gone.
    /// </summary>
    public bool CanRecount => parts.Insert.Concat(parts.Update).Concat(parts.Delete).SelectMany(rule => rule.Commands)
        .All(c => c.Nature != CommandNature.Accumulate || c.Tells || c.CountsDifferences);

    /// <summary>What a copy does when Redis has kept what was told of these rows: all but telling it again.</summary>
    public TablePlan ForRecount() => new(Table, Relation, parts with { Insert = Only(parts.Insert, tells: false) });

    /// <summary>What is done for changes whose rows such a copy has brought: they are told. Null when the table tells nothing.</summary>
    public TablePlan? ForTelling() => parts.Insert.Concat(parts.Update).Concat(parts.Delete).Any(rule => rule.Commands.Any(c => c.Tells))
        ? new TablePlan(Table, Relation, parts with { Insert = Only(parts.Insert, tells: true), Update = Only(parts.Update, tells: true), Delete = Only(parts.Delete, tells: true) })
        : null;

    static RulePlan[] Only(RulePlan[] rules, bool tells) => [.. rules.Select(rule => rule.Only(command => command.Tells == tells))];

    /// <summary>The templates of <see cref="Keys"/>, to get from a key in Redis back to the row it was made of.</summary>
    public IReadOnlyList<KeyTemplate> KeyTemplates => [.. Templates(HoldsRows).Select(key => key.ToKeyTemplate(Relation)).DistinctBy(key => key.Source)];

    /// <summary>Every key this table may put something into.</summary>
    public IReadOnlyList<KeyPattern> TouchedKeys =>
        Patterns(command => command.Nature is CommandNature.Write or CommandNature.AddMember or CommandNature.Accumulate);

    static bool HoldsRows(CommandPlan command) => command.Nature is CommandNature.Write or CommandNature.AddMember || command.CountsDifferences;

    IReadOnlyList<KeyPattern> Patterns(Func<CommandPlan, bool> wanted) => [.. Templates(wanted).Select(key => key.ToPattern(Relation)).DistinctBy(pattern => pattern.Glob)];

    IEnumerable<BoundTemplate> Templates(Func<CommandPlan, bool> wanted) =>
        parts.Insert.Concat(parts.Update).SelectMany(rule => rule.Commands).Where(wanted).SelectMany(command => command.Keys);

    /// <summary>What a TRUNCATE of the table asks for.</summary>
    public TruncateMode TruncateMode => Table.Truncate.Mode;

    /// <summary>Turns a row into commands. <paramref name="result"/> is emptied first.</summary>
    public MapOutcome Map(in RowChange change, MappedChange result)
    {
        result.Clear(orderingSeed);
        result.IsOrderUnknown = parts.IsOldOrderUnknown && change.Kind is ChangeKind.Update or ChangeKind.Delete;
        var row = RowImage.Of(change);
        switch (change.Kind)
        {
            case ChangeKind.Insert: return MapOne(row, row, parts.Insert, result, MapMode.All);
            case ChangeKind.Delete: return MapOne(row, row, parts.Delete, result, MapMode.Ends);
            case ChangeKind.Truncate: return MapOne(row, row, parts.Truncate, result, MapMode.Decided);
        }
        if (Moves(row)) return MapMove(change, result);
        var entering = MapMode.All;
        if (parts.When is not null)
        {
            if (parts.When.Lacks(row)) return MapOutcome.NeedsReread;
            bool wanted = parts.When.Evaluate(row, result.Scratch) == Truth.True;
            var before = RowImage.Before(change);
            var wantedBefore = change.Old.IsPresent ? parts.When.Evaluate(before, result.Scratch) : Truth.Unknown;
            if (!wanted) return wantedBefore == Truth.False ? MapOutcome.Nothing : MapOne(before, before, parts.Delete, result, MapMode.Ends | MapMode.Decided);
            var after = RowImage.After(change);
            if (wantedBefore == Truth.False) return MapOne(after, after, parts.Insert, result, MapMode.Whole | MapMode.Decided);
            if (wantedBefore == Truth.Unknown) entering = MapMode.Whole;
        }
        return MapUpdate(change, row, result, entering);
    }

    /// <summary>
    /// The end of a row that was gone before the table was copied: only what takes keys away runs. The copy never counted the row, and
    /// what was told of it was told.
    /// </summary>
    public MapOutcome MapLeftover(in RowChange ended, MappedChange result)
    {
        result.Clear(orderingSeed);
        var row = RowImage.Before(ended);
        return MapOne(row, row, parts.Delete, result, MapMode.Removals | MapMode.Ends);
    }

    /// <summary>A row that is there and was counted and told already: only what gives keys the row's values runs.</summary>
    public MapOutcome MapState(in RowChange present, MappedChange result)
    {
        result.Clear(orderingSeed);
        var row = RowImage.After(present);
        return MapOne(row, row, parts.Insert, result, MapMode.State);
    }

    /// <summary>Makes the change poison, so that it can be parked under its ordering key.</summary>
    public MapOutcome Refuse(in RowChange change, MappedChange result, string error)
    {
        result.Clear(orderingSeed);
        result.Error = error;
        Poisoned(RowImage.Of(change), result, 0);
        return MapOutcome.Poison;
    }

    /// <summary>Whether keys of the row end with this change.</summary>
    public bool EndsKeys(in RowChange change) => change.Kind == ChangeKind.Delete || (change.Kind == ChangeKind.Update && Moves(RowImage.Of(change)));

    bool Moves(in RowImage row)
    {
        // Without an old row nothing of the replica identity has changed, and of the rest nothing is known.
        if (!row.HasOld) return false;
        foreach (int column in parts.MovingColumns)
            if (row.Changed(column)) return true;
        return false;
    }

    /// <summary>The old keys end first, then the new ones begin: two change sets, because they may have different ordering keys.</summary>
    MapOutcome MapMove(in RowChange change, MappedChange result)
    {
        var before = RowImage.Before(change);
        var now = RowImage.After(change);
        bool begins = parts.When is null || parts.When.Evaluate(now, result.Scratch) == Truth.True;
        var ending = MapOne(before, RowImage.ProbablyBefore(change), parts.Delete, result, begins ? MapMode.Ends | MapMode.Moves : MapMode.Ends);
        if (ending is MapOutcome.Poison or MapOutcome.NeedsReread) return ending;
        if (ending == MapOutcome.Nothing)
        {
            int keyAt = result.Keys.Length;
            WriteOrderingKey(result, before);
            result.Close(result.Commands.Length, 0, keyAt);
        }
        // A table that only says what an update does begins the new key with that.
        bool onlyUpdates = parts.Insert.Length == 0 && parts.Delete.Length == 0;
        var after = onlyUpdates ? RowImage.Of(change) : now;
        var beginning = MapOne(after, after, onlyUpdates ? parts.Update : parts.Insert, result, MapMode.Whole);
        return beginning == MapOutcome.Nothing ? ending : beginning;
    }

    /// <summary>An ordinary update; one that only changes a <c>key:</c> of the table's own still has to wait for the old key's changes.</summary>
    MapOutcome MapUpdate(in RowChange change, in RowImage row, MappedChange result, MapMode mode)
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
        return MapOne(row, row, parts.Update, result, mode | MapMode.Decided);
    }

    [Flags]
    enum MapMode
    {
        /// <summary>Every command runs.</summary>
        All = 0,
        /// <summary>Only commands that take something away run.</summary>
        Removals = 1,
        /// <summary>Only commands that give keys the row's values run.</summary>
        State = 2,
        /// <summary>The row ends: a filter that can't be decided does not keep it.</summary>
        Ends = 4,
        /// <summary>The filter was asked already.</summary>
        Decided = 8,
        /// <summary>The keys have nothing of the row yet: fields that the update left alone must be written too.</summary>
        Whole = 16,
        /// <summary>The row goes on elsewhere: a key that stays is not taken away, because what others keep in it would go, too.</summary>
        Moves = 32,
    }

    /// <param name="row">What conditions and ordinary commands see.</param>
    /// <param name="probable">What commands see that only take something away.</param>
    /// <param name="rules">What to run.</param>
    /// <param name="result">Gets one more part.</param>
    /// <param name="mode">What is to be left out.</param>
    MapOutcome MapOne(in RowImage row, in RowImage probable, RulePlan[] rules, MappedChange result, MapMode mode)
    {
        if (rules.Length == 0) return MapOutcome.Nothing;
        if (parts.When is not null && (mode & MapMode.Decided) == 0)
        {
            var wanted = parts.When.Evaluate(row, result.Scratch);
            if (wanted == Truth.False || (wanted == Truth.Unknown && (mode & MapMode.Ends) == 0)) return MapOutcome.Nothing;
        }
        if ((mode & MapMode.Whole) != 0 && HasUnchanged(row)) return MapOutcome.NeedsReread;
        int from = result.Commands.Length, commands = 0;
        foreach (var rule in rules)
        {
            if (rule.Lacks(row)) return MapOutcome.NeedsReread;
            if (!rule.Applies(row, result.Scratch)) continue;
            foreach (var command in rule.Commands)
            {
                bool removes = command.Nature == CommandNature.Remove;
                if ((mode & MapMode.Removals) != 0 && !removes) continue;
                if ((mode & MapMode.Moves) != 0 && parts.Rewritten.Contains(command) && command.KeysStay(probable)) continue;
                if ((mode & MapMode.State) != 0 && command.Nature is not (CommandNature.Write or CommandNature.AddMember or CommandNature.Expire)) continue;
                int written = command.Write(result, removes ? probable : row);
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
        result.Close(from, commands, keyAt, result.Commands.Length - from > RedisLimits.SmallestBytes ? Identity(row) : null);
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

    /// <summary>The row's primary key for people; empty when it has none.</summary>
    static string Identity(in RowImage row)
    {
        var text = new StringBuilder();
        foreach (int column in row.Relation.PrimaryKey)
        {
            if (text.Length > 0) text.Append(", ");
            text.Append(row.Relation.Columns[column].Name).Append(" = ").Append(CommandText.Value(row.Value(column)));
        }
        return text.ToString();
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
        int[] columns = parts.OrderingColumns;
        for (int i = 0; i < columns.Length; i++)
        {
            result.Keys.Byte((byte)':');
            if (orderingEscapes[i]) CompositeKey.WriteEscaped(result.Keys, row.Value(columns[i]));
            else result.Keys.Raw(row.Value(columns[i]));
        }
    }
}

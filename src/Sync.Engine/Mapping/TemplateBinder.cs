using System.Text;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>Which part of a plan a template serves; decides which values PostgreSQL can have sent.</summary>
enum Purpose { Insert, Update, Delete, Truncate, OrderingKey }

/// <summary>Resolves templates against a relation and collects what is wrong or will be missing.</summary>
sealed class TemplateBinder(TableConfig table, Relation relation, MappingOptions options)
{
    readonly List<MappingIssue> issues = [];
    readonly SortedSet<string> oldValuesNeeded = new(StringComparer.Ordinal);
    readonly SortedSet<string> rereads = new(StringComparer.Ordinal);
    readonly ListedColumn[] everyColumn = EveryColumn(table, relation, options);

    public Relation Relation => relation;

    public IReadOnlyList<MappingIssue> Issues => issues;

    public void Error(SourcePosition position, string message) => issues.Add(new MappingIssue(IssueLevel.Error, position, message));

    /// <summary>An error of the table: it lacks what the configuration names.</summary>
    void Lacks(SourcePosition position, string message) => issues.Add(new MappingIssue(IssueLevel.Error, position, message, ExitCode.Schema));

    public void Warn(SourcePosition position, string message) => issues.Add(new MappingIssue(IssueLevel.Warning, position, message));

    /// <summary>Null when the template is wrong; the cause is among the issues then.</summary>
    public BoundTemplate? Bind(string source, SourcePosition position, Purpose purpose)
    {
        try
        {
            return Bind(Template.Parse(source), position, purpose);
        }
        catch (TemplateException e)
        {
            Error(position, e.Message);
            return null;
        }
    }

    public BoundTemplate? Bind(Template template, SourcePosition position, Purpose purpose)
    {
        int before = issues.Count;
        var pieces = template.Segments.Select(s => BindSegment(s, template.Source, position, purpose)).ToArray();
        return issues.Skip(before).Any(i => i.Level == IssueLevel.Error) ? null : new BoundTemplate(template, pieces, options.NumericMode);
    }

    /// <summary>The column's index, or -1 and an error that names column and table.</summary>
    public int Column(string name, SourcePosition position)
    {
        int index = relation.IndexOf(name);
        if (index >= 0) return index;
        string sent = string.Join(", ", relation.Columns.Select(c => c.Name));
        Lacks(position, relation.LeftOut.FirstOrDefault(c => c.Name == name) switch
        {
            { IsGenerated: true } => $"column '{name}' of {relation.FullName} is generated, and {NoGenerated}; use what it is computed from; sent are {sent}",
            { } => $"column '{name}' is in {relation.FullName}, but the publication leaves it out; sent are {sent}",
            null => $"column '{name}' does not exist in {relation.FullName}, or the publication leaves it out; it has {sent}",
        });
        return index;
    }

    /// <summary>The same for a name in a template, where blanks around it may only be there to be read well.</summary>
    int Placeholder(string name, SourcePosition position) =>
        Template.IndexIn(relation, name) is var index && index >= 0 ? index : Column(name.Trim(), position);

    const string NoGenerated = "the publication sends no generated columns (PostgreSQL 18 can, with publish_generated_columns = stored)";

    /// <summary>Why rows have no primary key.</summary>
    string KeyProblem()
    {
        string[] key = [.. relation.LeftOut.Where(c => c.InPrimaryKey).Select(c => c.Name)];
        if (key.Length == 0) return $"{{%pk%}} is used but {relation.FullName} has no primary key; name columns instead";
        string columns = $"{(key.Length == 1 ? "column" : "columns")} {string.Join(", ", key)} of the primary key of {relation.FullName}";
        string verb = key.Length == 1 ? "is" : "are";
        return relation.LeftOut.Any(c => c is { InPrimaryKey: true, IsGenerated: true })
            ? $"{{%pk%}} is used but {columns} {verb} generated, and {NoGenerated}; name other columns instead"
            : $"{{%pk%}} is used but {columns} {verb} left out by the publication; name other columns instead";
    }

    /// <summary>Notes that the old value of a column is used.</summary>
    public void NeedsOld(int column)
    {
        if (column >= 0 && !relation.Columns[column].InIdentity) oldValuesNeeded.Add(relation.Columns[column].Name);
    }

    /// <summary>Turns what was noted into warnings, once per table.</summary>
    public void Summarise()
    {
        if (oldValuesNeeded.Count > 0)
            Warn(table.Position, $"{relation.FullName}: old values of {string.Join(", ", oldValuesNeeded)} are used but PostgreSQL does not send them "
                + $"({Identity(oldValuesNeeded)}); run {Cure(oldValuesNeeded)}");
        if (rereads.Count > 0)
            Warn(table.Position, $"{relation.FullName}: an update that leaves a large value of {string.Join(", ", rereads)} alone makes ActorSync read the row again, "
                + $"because PostgreSQL does not send unchanged TOASTed values; {Cure(rereads)} avoids it");
    }

    PartitionIdentity[] Lacking(IEnumerable<string> columns) => [.. relation.Partitions.Where(p => columns.Any(c => !p.Sends(c)))];

    /// <summary>Why the values are not sent.</summary>
    string Identity(IEnumerable<string> columns) => Lacking(columns) switch
    {
        [] => $"replica identity {relation.Identity.ToString().ToLowerInvariant()}",
        [var one] => $"the replica identity of partition {one.Schema}.{one.Name} leaves them out",
        var some => $"the replica identities of partitions {string.Join(", ", some.Take(mostNamed).Select(p => $"{p.Schema}.{p.Name}"))}{More(some.Length)} leave them out",
    };

    /// <summary>The statements that have them sent. A statement for a partitioned table does not reach its partitions.</summary>
    string Cure(IEnumerable<string> columns) => Lacking(columns) switch
    {
        [] => $"ALTER TABLE {Quote(relation.Schema)}.{Quote(relation.Name)} REPLICA IDENTITY FULL",
        var some => string.Join("; ", some.Take(mostNamed).Select(p => $"ALTER TABLE {Quote(p.Schema)}.{Quote(p.Name)} REPLICA IDENTITY FULL")) + More(some.Length),
    };

    const int mostNamed = 10;

    static string More(int count) => count > mostNamed ? $" and {count - mostNamed} more" : "";

    static string Quote(string name) =>
        name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_') ? name : $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    Piece BindSegment(Segment segment, string source, SourcePosition position, Purpose purpose)
    {
        byte[] literal = segment.Kind switch
        {
            SegmentKind.Literal => Encoding.UTF8.GetBytes(segment.Text),
            SegmentKind.Schema => Encoding.UTF8.GetBytes(relation.Schema),
            SegmentKind.Table => Encoding.UTF8.GetBytes(relation.Name),
            _ => [],
        };
        var kind = segment.Kind is SegmentKind.Schema or SegmentKind.Table ? SegmentKind.Literal : segment.Kind;
        if (purpose == Purpose.Truncate && kind is not (SegmentKind.Literal or SegmentKind.TransactionId))
            Error(position, "a truncate command has no row, so only text, {%schema%}, {%table%} and {%xid%} can stand in it");
        int column = -1;
        int[] key = [];
        ListedColumn[] list = [];
        switch (kind)
        {
            case SegmentKind.Column or SegmentKind.Old or SegmentKind.Diff:
                column = Placeholder(segment.Text, position);
                Note(kind, column, purpose);
                break;
            case SegmentKind.PrimaryKey:
                key = [.. relation.PrimaryKey];
                if (key.Length == 0) Lacks(position, KeyProblem());
                foreach (int part in key) Note(kind, part, purpose);
                break;
            case SegmentKind.Pairs or SegmentKind.Json or SegmentKind.Columns:
                list = segment.Names is null ? everyColumn
                    : [.. segment.Names.Select(name => Placeholder(name, position)).Where(i => i >= 0).Select(i => Listed(i, table, relation.Columns[i].Name))];
                if (list.Length == 0 && segment.Names is null) Error(position, $"'{source}' stands for no column of {relation.FullName}: 'columns' leaves none");
                if (kind == SegmentKind.Json) foreach (var listed in list) Note(kind, listed.Column, purpose);
                break;
        }
        return new Piece(kind, literal, column, key, CompositeKey.Escapes(relation, key), list);
    }

    void Note(SegmentKind kind, int column, Purpose purpose)
    {
        if (column < 0) return;
        bool old = kind is SegmentKind.Old or SegmentKind.Diff;
        if ((old && purpose is Purpose.Update or Purpose.Delete) || (!old && kind != SegmentKind.Json && purpose == Purpose.Delete)) NeedsOld(column);
        bool toastable = relation.Columns[column].Type.Kind
            is ValueKind.Text or ValueKind.Json or ValueKind.Bytea or ValueKind.Array or ValueKind.Numeric;
        if (purpose == Purpose.Update && kind is SegmentKind.Json or SegmentKind.Column && toastable && !relation.Columns[column].InIdentity)
            rereads.Add(relation.Columns[column].Name);
    }

    static ListedColumn[] EveryColumn(TableConfig table, Relation relation, MappingOptions options)
    {
        var filter = table.Columns;
        var list = new List<ListedColumn>();
        for (int i = 0; i < relation.Columns.Count; i++)
        {
            string name = relation.Columns[i].Name;
            if (filter.Include is { } include && !include.Contains(name)) continue;
            if (filter.Exclude is { } exclude && exclude.Contains(name)) continue;
            list.Add(Listed(i, table, name));
        }
        if (options.CommitTimeColumn is { } commitTime) list.Add(Listed(-1, table, commitTime));
        return [.. list];
    }

    static ListedColumn Listed(int column, TableConfig table, string name)
    {
        string field = column >= 0 && table.Columns.Rename?.GetValueOrDefault(name) is { } renamed ? renamed : name;
        var writer = new RespWriter();
        writer.Bulk(field);
        byte[] bulk = writer.Written.ToArray();
        writer.Clear();
        JsonText.String(writer, Encoding.UTF8.GetBytes(field));
        writer.Byte((byte)':');
        byte[] jsonName = writer.Written.ToArray();
        writer.Release();
        return new ListedColumn(column, bulk, jsonName);
    }
}

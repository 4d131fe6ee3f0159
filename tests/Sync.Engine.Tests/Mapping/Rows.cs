using System.Text;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;

namespace Sync.Engine.Tests.Mapping;

/// <summary>Builds relations, rows and tables for mapping tests, and reads RESP back as text.</summary>
static class Rows
{
    /// <summary>In a row image: a TOASTed value the update did not touch.</summary>
    public const string Unchanged = "\u0001unchanged";

    /// <summary>In a row image: a value PostgreSQL did not send.</summary>
    public const string Missing = "\u0001missing";

    static readonly SourcePosition Nowhere = new("test.yaml", 1, 1);

    public static Relation Relation(string columns, string primaryKey = "id", ReplicaIdentity identity = ReplicaIdentity.Default, string name = "public.orders")
    {
        string[] keys = primaryKey.Split(',', StringSplitOptions.RemoveEmptyEntries);
        var list = columns.Split(' ').Select(c =>
        {
            string[] parts = c.Split('/');
            bool inIdentity = identity == ReplicaIdentity.Full || keys.Contains(parts[0]);
            return new RelationColumn(parts[0], 0, Type(parts.Length > 1 ? parts[1] : "Text"), inIdentity);
        }).ToArray();
        string[] names = name.Split('.');
        return new Relation
        {
            Oid = 1,
            Schema = names[0],
            Name = names[1],
            Identity = identity,
            Columns = list,
            PrimaryKey = [.. keys.Select(k => Array.FindIndex(list, c => c.Name == k))],
        };
    }

    static ColumnType Type(string text) => text.EndsWith("[]", StringComparison.Ordinal)
        ? new ColumnType(ValueKind.Array, Type(text[..^2]))
        : new ColumnType(Enum.Parse<ValueKind>(text));

    public static TableConfig Table(params string[][] commands) => new()
    {
        Schema = "public",
        Name = "orders",
        Position = Nowhere,
        Commands = commands.Length == 0 ? null : Rules(commands),
    };

    public static IReadOnlyList<CommandRule> Rules(params string[][] commands) =>
        [.. commands.Select(c => new CommandRule([new CommandTemplate(c, Nowhere)], null, Nowhere))];

    public static CommandRule If(Condition condition, params string[][] commands) =>
        new([.. commands.Select(c => new CommandTemplate(c, Nowhere))], condition, Nowhere);

    public static Condition Compare(string column, ComparisonOperator op, params string?[] values) => new ComparisonCondition(column, op, values, Nowhere);

    public static Condition All(params Condition[] members) => new AllCondition(members, Nowhere);

    public static Condition Any(params Condition[] members) => new AnyCondition(members, Nowhere);

    public static Condition Not(Condition inner) => new NotCondition(inner, Nowhere);

    public static TablePlan Compile(TableConfig table, Relation relation, MappingOptions? options = null)
    {
        var (plan, issues) = TablePlanCompiler.Compile(table, relation, options ?? new MappingOptions());
        return plan ?? throw new InvalidOperationException(string.Join("; ", issues));
    }

    public static string[] Issues(TableConfig table, Relation relation) =>
        [.. TablePlanCompiler.Compile(table, relation, new MappingOptions()).Issues.Select(i => $"{i.Level}: {i.Message}")];

    public static Result Insert(this TablePlan plan, params string?[] row) => Map(plan, ChangeKind.Insert, row, null);

    public static Result Update(this TablePlan plan, string?[]? old, params string?[] row) => Map(plan, ChangeKind.Update, row, old);

    public static Result Delete(this TablePlan plan, params string?[] old) => Map(plan, ChangeKind.Delete, null, old);

    public static Result Truncate(this TablePlan plan) => Map(plan, ChangeKind.Truncate, null, null);

    /// <summary>An update without an old row, mapped with what was read again.</summary>
    public static Result Reread(this TablePlan plan, string?[]? reread, params string?[] row) => Map(plan, ChangeKind.Update, row, null, reread, isReread: true);

    public static Result Leftover(this TablePlan plan, params string?[] old) =>
        Map(plan, ChangeKind.Delete, null, old, how: (in RowChange change, MappedChange mapped) => plan.MapLeftover(change, mapped));

    public static Result Present(this TablePlan plan, params string?[] row) =>
        Map(plan, ChangeKind.Insert, row, null, how: (in RowChange change, MappedChange mapped) => plan.MapState(change, mapped));

    public static Result Refused(this TablePlan plan, string error, params string?[] row) =>
        Map(plan, ChangeKind.Update, row, null, how: (in RowChange change, MappedChange mapped) => plan.Refuse(change, mapped, error));

    delegate MapOutcome Mapping(in RowChange change, MappedChange mapped);

    static Result Map(TablePlan plan, ChangeKind kind, string?[]? now, string?[]? old, string?[]? reread = null, bool isReread = false, Mapping? how = null)
    {
        var (rereadData, rereadCells) = Image(reread);
        var (newData, newCells) = Image(now);
        var (oldData, oldCells) = Image(old);
        var change = new RowChange
        {
            Relation = plan.Relation,
            Kind = kind,
            New = new RowTuple(newData, newCells),
            Old = new RowTuple(oldData, oldCells),
            Reread = new RowTuple(rereadData, rereadCells),
            IsReread = isReread,
            Position = new Position(new Lsn(100), 0),
            TransactionId = 7,
            CommitTimeUtc = new DateTime(2026, 2, 3, 4, 5, 6, DateTimeKind.Utc).AddTicks(1234560),
        };
        var mapped = new MappedChange();
        var outcome = how is null ? plan.Map(change, mapped) : how(change, mapped);
        for (int part = 0; part < mapped.Parts; part++) mapped.KeyHash(part).ShouldBe(StableHash.Of(mapped.Key(part)));
        var parts = outcome is MapOutcome.Mapped or MapOutcome.Poison
            ? Enumerable.Range(0, mapped.Parts).Select(p => new Part(Encoding.UTF8.GetString(mapped.Key(p)), Commands(mapped.CommandBytes(p)), mapped.CommandCount(p))).ToArray()
            : [];
        return new Result(outcome, mapped.Error, mapped.MissingOldValues, mapped.IsOrderUnknown, parts);
    }

    public static (byte[] Data, Cell[] Cells) Image(string?[]? values)
    {
        if (values is null) return ([], []);
        var data = new List<byte>();
        var cells = new Cell[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(values[i] ?? "");
            cells[i] = values[i] switch
            {
                null => new Cell(CellState.Null),
                Unchanged => new Cell(CellState.Unchanged),
                Missing => new Cell(CellState.Missing),
                _ => new Cell(CellState.Text, data.Count, bytes.Length),
            };
            if (cells[i].State == CellState.Text) data.AddRange(bytes);
        }
        return ([.. data], cells);
    }

    /// <summary>Reads RESP commands strictly and shows each as its arguments joined by a bar.</summary>
    public static string[] Commands(ReadOnlySpan<byte> resp)
    {
        var commands = new List<string>();
        while (!resp.IsEmpty)
        {
            int count = Header(ref resp, (byte)'*');
            var arguments = new List<string>();
            for (int i = 0; i < count; i++)
            {
                int length = Header(ref resp, (byte)'$');
                arguments.Add(Encoding.UTF8.GetString(resp[..length]));
                resp.Slice(length, 2).SequenceEqual("\r\n"u8).ShouldBeTrue();
                resp = resp[(length + 2)..];
            }
            commands.Add(string.Join('|', arguments));
        }
        return [.. commands];
    }

    static int Header(ref ReadOnlySpan<byte> resp, byte kind)
    {
        resp[0].ShouldBe(kind);
        int end = resp.IndexOf("\r\n"u8);
        int value = int.Parse(Encoding.ASCII.GetString(resp[1..end]));
        resp = resp[(end + 2)..];
        return value;
    }

    public sealed record Part(string Key, string[] Commands, int Count);

    public sealed record Result(MapOutcome Outcome, string Error, int Skipped, bool IsOrderUnknown, Part[] Parts)
    {
        /// <summary>The commands of all parts; also checks that every count is right.</summary>
        public string[] Commands
        {
            get
            {
                Outcome.ShouldBe(MapOutcome.Mapped, Error);
                foreach (var part in Parts) part.Count.ShouldBe(part.Commands.Length);
                return [.. Parts.SelectMany(p => p.Commands)];
            }
        }
    }
}

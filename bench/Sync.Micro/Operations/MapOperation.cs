using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using Sync.Postgres.PgOutput;

namespace Sync.Micro.Operations;

/// <summary>Cells to commands and an ordering key. Rows come decoded from one message, so that only the mapping is new in each.</summary>
sealed class MapOperation : Operation
{
    static readonly SourcePosition nowhere = new("Sync.Micro");

    readonly PgOutputDecoder decoder = new();
    readonly MappedChange mapped = new();
    readonly byte[] message = Messages.Row(1);
    readonly TablePlan plan;

    /// <param name="commands">Of the table, one or more.</param>
    public MapOperation(params string[][] commands)
    {
        decoder.Decode(Messages.Relation());
        decoder.Decode(message);
        var table = new TableConfig
        {
            Schema = "public",
            Name = "users",
            Position = nowhere,
            Commands = [new CommandRule([.. commands.Select(c => new CommandTemplate(c, nowhere))], null, nowhere)],
        };
        plan = TablePlanCompiler.Compile(table, Relation, new MappingOptions()).Plan ?? throw new InvalidOperationException("The table does not compile.");
    }

    /// <summary>A hash with a field per column.</summary>
    public static MapOperation Hash() => new(["HSET", "user:{id}", "{pairs:*}"]);

    /// <summary>A string that is the row as JSON.</summary>
    public static MapOperation Json() => new(["SET", "user:{id}", "{json:*}"]);

    /// <summary>Four commands, as in examples/shop.</summary>
    public static MapOperation Several() => new(
        ["SET", "user:{id}", "{json:*}"], ["SADD", "status:{status}", "{id}"], ["ZADD", "users:by-balance", "{balance}", "{id}"], ["SREM", "users:gone", "{id}"]);

    static Relation Relation => new()
    {
        Oid = Messages.Oid,
        Schema = "public",
        Name = "users",
        Identity = ReplicaIdentity.Default,
        Columns = [.. Messages.Columns.Select(c => new RelationColumn(c.Name, (uint)c.Type, new ColumnType(KindOf(c.Name)), c.Name == "id"))],
        PrimaryKey = [0],
    };

    static ValueKind KindOf(string column) => column switch
    {
        "id" or "score" => ValueKind.Integer,
        "balance" => ValueKind.Numeric,
        "created_at" or "updated_at" => ValueKind.TimestampTz,
        _ => ValueKind.Text,
    };

    public override long Run()
    {
        long sum = 0;
        for (int i = 0; i < Rows; i++)
        {
            var change = new RowChange { Relation = plan.Relation, Kind = ChangeKind.Update, New = decoder.New(message), Position = new Position(new Lsn(1), (ulong)i) };
            if (plan.Map(change, mapped) != MapOutcome.Mapped) throw new InvalidOperationException(mapped.Error);
            sum += mapped.CommandBytes(0).Length + mapped.Key(0).Length;
        }
        return sum;
    }
}

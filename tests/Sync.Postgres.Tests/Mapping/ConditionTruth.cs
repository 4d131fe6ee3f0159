using System.Text;
using Npgsql;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using Sync.Postgres.Catalog;

namespace Sync.Postgres.Tests.Mapping;

/// <summary>Says what conditions make of rows, for tests that ask PostgreSQL the same.</summary>
static class ConditionTruth
{
    public static readonly SourcePosition Nowhere = new("test.yaml", 1, 1);

    public static readonly (ComparisonOperator Op, string Sql)[] Operators =
    [
        (ComparisonOperator.Equal, "="), (ComparisonOperator.NotEqual, "<>"), (ComparisonOperator.Less, "<"),
        (ComparisonOperator.Greater, ">"), (ComparisonOperator.LessOrEqual, "<="), (ComparisonOperator.GreaterOrEqual, ">="),
    ];

    public static Condition Compare(string column, ComparisonOperator op, params string?[] values) => new ComparisonCondition(column, op, values, Nowhere);

    /// <summary>The relation of a table as the stream describes it.</summary>
    public static async Task<Relation> RelationAsync(Database database, string table) =>
        (await new CatalogReader(database.Source).ReadAsync(new TableName("public", table))).ToRelation();

    /// <summary>The plan that does something for rows for which the condition holds; null and the cause when it is refused.</summary>
    public static (TablePlan? Plan, string Refusal) Plan(Relation relation, Condition condition)
    {
        var table = new TableConfig
        {
            Schema = relation.Schema,
            Name = relation.Name,
            Position = Nowhere,
            Insert = [new CommandRule([new CommandTemplate(["INCR", "n"], Nowhere)], condition, Nowhere)],
        };
        var (plan, issues) = TablePlanCompiler.Compile(table, relation, new MappingOptions());
        return (plan, string.Join("; ", issues.Select(i => i.Message)));
    }

    /// <summary>Whether a condition holds for a row of PostgreSQL's texts.</summary>
    public static bool Holds(TablePlan plan, MappedChange mapped, params string?[] row)
    {
        var data = new List<byte>();
        var cells = new Cell[row.Length];
        for (int i = 0; i < row.Length; i++)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(row[i] ?? "");
            cells[i] = row[i] is null ? new Cell(CellState.Null) : new Cell(CellState.Text, data.Count, bytes.Length);
            data.AddRange(bytes);
        }
        return plan.Map(new RowChange { Relation = plan.Relation, Kind = ChangeKind.Insert, New = new RowTuple(data.ToArray(), cells) }, mapped) == MapOutcome.Mapped;
    }

    public static async Task<List<object?[]>> QueryAsync(Database database, string sql, params object[] parameters)
    {
        await using var command = database.Source.CreateCommand(sql);
        foreach (object value in parameters) command.Parameters.Add(new NpgsqlParameter { Value = value });
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<object?[]>();
        while (await reader.ReadAsync())
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetValue(i))]);
        return rows;
    }
}

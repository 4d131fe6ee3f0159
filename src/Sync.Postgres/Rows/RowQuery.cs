using System.Globalization;
using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Rows;

/// <summary>A relation's table as the catalog has it now: it may have been renamed, and columns may be gone.</summary>
/// <param name="Schema">Schema now.</param>
/// <param name="Name">Table name now.</param>
/// <param name="IsPartitioned">Whether its rows are in partitions.</param>
/// <param name="Columns">Names of the columns that exist.</param>
sealed record CurrentTable(string Schema, string Name, bool IsPartitioned, IReadOnlySet<string> Columns);

/// <summary>Builds the COPY that reads one row by its primary key. Pure.</summary>
static class RowQuery
{
    /// <summary>The relation's columns that still exist, as indexes into it.</summary>
    public static int[] Columns(Relation relation, CurrentTable table) =>
        [.. Enumerable.Range(0, relation.Columns.Count).Where(i => table.Columns.Contains(relation.Columns[i].Name))];

    /// <summary>
    /// COPY takes no parameters, so the key's values become string constants; without a cast PostgreSQL reads them as
    /// values of their column's type.
    /// </summary>
    public static string Build(Relation relation, CurrentTable table, int[] columns, IReadOnlyList<string> key)
    {
        var sql = new StringBuilder("COPY (SELECT ");
        sql.AppendJoin(", ", columns.Select(i => Sql.Identifier(relation.Columns[i].Name)));
        // A partitioned table has no rows of its own; of any other one, rows of tables that inherit from it are not its rows.
        sql.Append(table.IsPartitioned ? " FROM " : " FROM ONLY ").Append(Sql.Identifier(table.Schema, table.Name)).Append(" WHERE ");
        for (int i = 0; i < key.Count; i++)
        {
            if (i > 0) sql.Append(" AND ");
            sql.Append(Sql.Identifier(relation.Columns[relation.PrimaryKey[i]].Name)).Append(" = ").Append(Literal(key[i]));
        }
        return sql.Append(") TO STDOUT").ToString();
    }

    /// <summary>
    /// A string constant. With a backslash in it the E form is used, which means the same whether or not
    /// standard_conforming_strings is on (PostgreSQL docs, "String Constants with C-Style Escapes"). Bytes that are no UTF-8 have no other form.
    /// </summary>
    public static string Literal(string text)
    {
        string quoted = $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
        bool holdsBytes = LosslessText.MayHoldBytes(text);
        if (!holdsBytes && !text.Contains('\\', StringComparison.Ordinal)) return quoted;
        quoted = quoted.Replace("\\", "\\\\", StringComparison.Ordinal);
        if (!holdsBytes) return "E" + quoted;
        var escaped = new StringBuilder("E");
        for (int i = 0; i < quoted.Length; i++)
            if (LosslessText.IsByte(quoted, i, out byte value)) escaped.Append(CultureInfo.InvariantCulture, $"\\x{value:x2}");
            else escaped.Append(quoted[i]);
        return escaped.ToString();
    }

    /// <summary>The key's values out of <paramref name="row"/>, or out of <paramref name="old"/> where the row lacks one.</summary>
    /// <exception cref="SyncException">There is no primary key, or its values can't be had.</exception>
    public static string[] Key(Relation relation, RowTuple row, RowTuple old)
    {
        if (relation.PrimaryKey.Count == 0)
            throw new SyncException(ExitCode.Schema,
                $"A row of {relation.FullName} can't be read again, because the table has no primary key:"
                + " add one, or ALTER TABLE … REPLICA IDENTITY FULL.");
        string[] key = new string[relation.PrimaryKey.Count];
        for (int i = 0; i < key.Length; i++)
        {
            int column = relation.PrimaryKey[i];
            var state = row.State(column);
            var value = state == CellState.Text ? row.Value(column) : old.Value(column);
            if (state != CellState.Text && old.State(column) != CellState.Text)
                throw new SyncException(ExitCode.Schema,
                    $"A row of {relation.FullName} can't be read again, because column {relation.Columns[column].Name} of its primary key was not sent.");
            key[i] = LosslessText.GetString(value);
        }
        return key;
    }
}

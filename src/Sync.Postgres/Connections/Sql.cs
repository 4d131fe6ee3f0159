namespace Sync.Postgres.Connections;

/// <summary>Names and texts inside statements that take no parameters (PostgreSQL docs, "Lexical Structure").</summary>
static class Sql
{
    /// <summary>A quoted identifier, so that any name is taken as it stands in the catalog.</summary>
    public static string Identifier(string name) => $"\"{name.Replace("\"", "\"\"")}\"";

    public static string Identifier(string schema, string name) => $"{Identifier(schema)}.{Identifier(name)}";

    /// <summary>A string constant; standard_conforming_strings is on since PostgreSQL 9.1, so a backslash is a backslash.</summary>
    public static string Literal(string text) => $"'{text.Replace("'", "''")}'";
}

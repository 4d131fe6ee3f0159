using Sync.Contracts.Configuration;

namespace Sync.Node.Commands;

/// <summary>Names for statements that users are told to run.</summary>
static class SqlName
{
    /// <summary>Schema and table in double quotes, so that any name is taken as it stands in the catalog.</summary>
    public static string Of(TableName table) => $"{Quoted(table.Schema)}.{Quoted(table.Name)}";

    public static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

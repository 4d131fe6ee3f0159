using System.Globalization;
using System.Text;
using Sync.Contracts.Configuration;

namespace Sync.Postgres.Wire;

/// <summary>The password file (PostgreSQL docs, "The Password File"): PGPASSFILE or ~/.pgpass, one line host:port:database:user:password each.</summary>
static class PasswordFile
{
    /// <summary>The password of the first line that fits; null when there is none, or no file.</summary>
    public static string? Find(HostPort address, string database, string user)
    {
        string file = Environment.GetEnvironmentVariable("PGPASSFILE")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".pgpass");
        try
        {
            return Find(File.ReadLines(file), address, database, user);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    internal static string? Find(IEnumerable<string> lines, HostPort address, string database, string user)
    {
        string port = address.Port.ToString(CultureInfo.InvariantCulture);
        // A Unix socket goes by localhost, or by its folder.
        string[][] wanted = [address.Host.StartsWith('/') ? ["localhost", address.Host] : [address.Host], [port], [database], [user]];
        foreach (string line in lines)
        {
            if (line.StartsWith('#')) continue;
            var fields = Fields(line);
            if (fields.Count == 5 && wanted.Index().All(w => fields[w.Index].IsAny || w.Item.Contains(fields[w.Index].Text))) return fields[4].Text;
        }
        return null;
    }

    /// <summary>Colons separate; a backslash takes the next character as it is; an asterisk alone stands for anything. Blanks count, also at the end.</summary>
    static List<(string Text, bool IsAny)> Fields(string line)
    {
        var fields = new List<(string, bool)>();
        var field = new StringBuilder();
        int begin = 0;
        for (int i = 0; i < line.Length; i++)
        {
            if (line[i] == ':' && fields.Count < 4)
            {
                fields.Add((field.ToString(), line[begin..i] == "*"));
                field.Clear();
                begin = i + 1;
            }
            else
            {
                if (line[i] == '\\' && i + 1 < line.Length) i++;
                field.Append(line[i]);
            }
        }
        fields.Add((field.ToString(), false));
        return fields;
    }
}

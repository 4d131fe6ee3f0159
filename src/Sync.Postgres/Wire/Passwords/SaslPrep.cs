using System.Text;

namespace Sync.Postgres.Wire.Passwords;

/// <summary>
/// Prepares a password for SCRAM as PostgreSQL and its own clients do (RFC 4013; PostgreSQL docs, "SASL Authentication"): the many ways of writing one character become one.
/// A password that the standard forbids is taken as it is, as they do.
/// </summary>
static class SaslPrep
{
    public static string Prepare(string password)
    {
        // Nothing that is done here changes ASCII.
        if (Ascii.IsValid(password)) return password;
        var codes = new List<int>();
        for (int i = 0; i < password.Length; i++)
        {
            if (!Rune.TryGetRuneAt(password, i, out var rune)) return password;
            codes.Add(rune.Value);
            i += rune.Utf16SequenceLength - 1;
        }
        var tables = UnicodeTables.Instance;
        var mapped = codes.Select(c => tables.Spaces.Contains(c) ? ' ' : c).Where(c => !tables.MappedToNothing.Contains(c)).ToList();
        if (mapped.Count == 0) return password;
        var prepared = CompatibilityForm.Of(mapped, tables);
        if (mapped.Exists(c => tables.Prohibited.Contains(c) || tables.Unassigned.Contains(c)) || MixesDirections(mapped, tables)) return password;
        var text = new StringBuilder();
        foreach (int code in prepared) text.Append(new Rune(code));
        return text.ToString();
    }

    /// <summary>RFC 3454, section 6: text from right to left holds none from left to right, and begins and ends with its own kind.</summary>
    static bool MixesDirections(List<int> codes, UnicodeTables tables) =>
        codes.Exists(tables.RightToLeft.Contains)
        && (codes.Exists(tables.LeftToRight.Contains) || !tables.RightToLeft.Contains(codes[0]) || !tables.RightToLeft.Contains(codes[^1]));
}

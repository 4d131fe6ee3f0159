using System.Globalization;

namespace Sync.Postgres.Wire.Passwords;

/// <summary>
/// What SASLprep has to know of characters, read once from the file that eng/saslprep-tables makes. The framework's own normalization does nothing in the invariant mode that
/// all our programs run in (docs/adr/0028-passwords-and-encodings.md).
/// </summary>
sealed class UnicodeTables
{
    static readonly Lazy<UnicodeTables> loaded = new(() => new UnicodeTables());

    readonly Dictionary<string, string[]> sections = [];

    UnicodeTables()
    {
        using var stream = typeof(UnicodeTables).Assembly.GetManifestResourceStream("saslprep.txt")!;
        using var reader = new StreamReader(stream);
        string name = "", text = "";
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#')) continue;
            if (line.StartsWith('['))
            {
                Keep(name, text);
                (name, text) = (line.Trim('[', ']'), "");
            }
            else text += line + " ";
        }
        Keep(name, text);
        Spaces = Ranges("space");
        MappedToNothing = Ranges("nothing");
        Prohibited = Ranges("prohibited");
        Unassigned = Ranges("unassigned");
        RightToLeft = Ranges("right-to-left");
        LeftToRight = Ranges("left-to-right");
        foreach (int[] entry in Entries("decomposition")) Decompositions[entry[0]] = entry[1..];
        foreach (int[] entry in Entries("composition")) Compositions[(entry[0], entry[1])] = entry[2];
        foreach (string[] entry in Words("class")) Classes[Code(entry[0])] = byte.Parse(entry[1], CultureInfo.InvariantCulture);
    }

    public static UnicodeTables Instance => loaded.Value;

    /// <summary>RFC 3454, tables C.1.2, B.1, all of C, A.1, D.1 and D.2.</summary>
    public CodeSet Spaces { get; }
    public CodeSet MappedToNothing { get; }
    public CodeSet Prohibited { get; }
    public CodeSet Unassigned { get; }
    public CodeSet RightToLeft { get; }
    public CodeSet LeftToRight { get; }

    /// <summary>The whole compatibility decomposition of a character, apart from Hangul syllables.</summary>
    public Dictionary<int, int[]> Decompositions { get; } = [];

    /// <summary>Two characters that become one.</summary>
    public Dictionary<(int, int), int> Compositions { get; } = [];

    /// <summary>The canonical combining class, where it is not 0.</summary>
    public Dictionary<int, byte> Classes { get; } = [];

    void Keep(string name, string text)
    {
        if (name.Length > 0) sections[name] = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
    }

    IEnumerable<string[]> Words(string section) => sections[section].Select(item => item.Split(' '));

    IEnumerable<int[]> Entries(string section) => Words(section).Select(words => words.Select(Code).ToArray());

    CodeSet Ranges(string section) => new([.. sections[section].Select(item => item.Split('-')).Select(ends => (Code(ends[0]), Code(ends[^1])))]);

    static int Code(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}

/// <summary>A set of code points as ranges in ascending order.</summary>
sealed class CodeSet((int First, int Last)[] ranges)
{
    public bool Contains(int code)
    {
        int low = 0, high = ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (code < ranges[middle].First) high = middle - 1;
            else if (code > ranges[middle].Last) low = middle + 1;
            else return true;
        }
        return false;
    }
}

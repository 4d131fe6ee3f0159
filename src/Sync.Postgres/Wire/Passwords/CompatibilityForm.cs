namespace Sync.Postgres.Wire.Passwords;

/// <summary>Normalization form KC (Unicode Standard Annex 15) of characters of Unicode 3.2: decompose, put marks in order, compose.</summary>
static class CompatibilityForm
{
    // Hangul syllables are made of consonant, vowel and final consonant by arithmetic (Unicode Standard, "Conjoining Jamo Behavior").
    const int firstSyllable = 0xAC00, firstLead = 0x1100, firstVowel = 0x1161, beforeFirstTail = 0x11A7;
    const int leads = 19, vowels = 21, tails = 28;

    public static List<int> Of(IEnumerable<int> codes, UnicodeTables tables)
    {
        var decomposed = new List<int>();
        foreach (int code in codes) Decompose(code, decomposed, tables);
        Order(decomposed, tables);
        return Compose(decomposed, tables);
    }

    static void Decompose(int code, List<int> output, UnicodeTables tables)
    {
        int syllable = code - firstSyllable;
        if (syllable is >= 0 and < leads * vowels * tails)
        {
            output.Add(firstLead + syllable / (vowels * tails));
            output.Add(firstVowel + syllable / tails % vowels);
            if (syllable % tails != 0) output.Add(beforeFirstTail + syllable % tails);
        }
        else if (tables.Decompositions.TryGetValue(code, out int[]? parts)) output.AddRange(parts);
        else output.Add(code);
    }

    /// <summary>Sorts each run of marks by its class and keeps those of one class as they are.</summary>
    static void Order(List<int> codes, UnicodeTables tables)
    {
        for (int i = 1; i < codes.Count; i++)
        {
            int code = codes[i], rank = Class(code, tables), at = i;
            if (rank == 0) continue;
            for (; at > 0 && Class(codes[at - 1], tables) > rank; at--) codes[at] = codes[at - 1];
            codes[at] = code;
        }
    }

    static List<int> Compose(List<int> codes, UnicodeTables tables)
    {
        var output = new List<int>();
        int starter = -1, last = 0;
        foreach (int code in codes)
        {
            int rank = Class(code, tables);
            // A mark is out of reach when one of its own class, or a character that is no mark, stands between it and the starter.
            bool isBlocked = starter < output.Count - 1 && (last == 0 || last >= rank);
            if (starter >= 0 && !isBlocked && Pair(output[starter], code, tables) is { } composed)
            {
                output[starter] = composed;
                continue;
            }
            output.Add(code);
            if (rank == 0) starter = output.Count - 1;
            last = rank;
        }
        return output;
    }

    static int? Pair(int first, int second, UnicodeTables tables)
    {
        int lead = first - firstLead, vowel = second - firstVowel;
        if (lead is >= 0 and < leads && vowel is >= 0 and < vowels) return firstSyllable + (lead * vowels + vowel) * tails;
        int syllable = first - firstSyllable, tail = second - beforeFirstTail;
        if (syllable is >= 0 and < leads * vowels * tails && syllable % tails == 0 && tail is > 0 and < tails) return first + tail;
        return tables.Compositions.TryGetValue((first, second), out int composed) ? composed : null;
    }

    static int Class(int code, UnicodeTables tables) => tables.Classes.GetValueOrDefault(code);
}

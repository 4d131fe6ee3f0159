namespace Sync.Node.Demo;

/// <summary>What one Redis key holds, as expected or as found.</summary>
abstract record ShopValue
{
    /// <summary>How long the key may still live; null means it must not expire.</summary>
    public TimeSpan? MaxTtl { get; init; }
}

sealed record TextValue(string Text) : ShopValue;

/// <summary>A JSON document. Compared with its members in order, its numbers digit by digit and its strings by their characters.</summary>
sealed record JsonValue(string Json) : ShopValue;

/// <summary>A count that is only ever added to: 0 and no key mean the same.</summary>
sealed record CounterValue(long Count) : ShopValue;

sealed record HashValue(IReadOnlyDictionary<string, string> Fields) : ShopValue;

/// <summary>A hash whose values are JSON documents.</summary>
sealed record JsonHashValue(IReadOnlyDictionary<string, string> Fields) : ShopValue;

/// <summary>Sums kept by HINCRBYFLOAT, which counts in binary: compared to the cent; 0 and no field mean the same.</summary>
sealed record SumsValue(IReadOnlyDictionary<string, decimal> Sums) : ShopValue;

sealed record SetValue(IReadOnlySet<string> Members) : ShopValue;

/// <summary>A sorted set. With <paramref name="IsSum"/> the scores are sums, and 0 and no member mean the same.</summary>
sealed record RankingValue(IReadOnlyDictionary<string, double> Scores, bool IsSum = false) : ShopValue;

/// <summary>A stream's entries without their ids, each as its fields and values; ordered by one of the fields only.</summary>
sealed record StreamValue(IReadOnlyList<IReadOnlyDictionary<string, string>> Entries, string OrderedBy) : ShopValue;

using System.Text.Json;

namespace Sync.Engine.Mapping.Conditions;

/// <summary>Whether two jsonb are equal: members in any order, numbers by value.</summary>
static class JsonEquality
{
    /// <summary>Documents that are nested deeper are not compared.</summary>
    const int MaxDepth = 1000;

    // What jsonb sends holds each member once.
    static readonly JsonDocumentOptions options = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    public static bool IsDocument(ReadOnlyMemory<byte> text) => TryParse(text, out var document) && Close(document);

    /// <summary>0 when they are equal, 1 when they are not; null when either can't be read.</summary>
    public static int? Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        if (left.SequenceEqual(right)) return 0;
        if (!TryParse(left.ToArray(), out var a)) return null;
        using (a)
        {
            if (!TryParse(right.ToArray(), out var b)) return null;
            using (b) return JsonElement.DeepEquals(a.RootElement, b.RootElement) ? 0 : 1;
        }
    }

    static bool Close(JsonDocument document)
    {
        document.Dispose();
        return true;
    }

    static bool TryParse(ReadOnlyMemory<byte> text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out JsonDocument? document)
    {
        try
        {
            document = JsonDocument.Parse(text, options);
            return true;
        }
        catch (JsonException)
        {
            document = null;
            return false;
        }
    }
}

using System.Globalization;
using System.Text;

namespace Sync.Redis.Protocol;

public enum RespKind : byte { Null, Simple, Error, Integer, Bulk, Array }

/// <summary>
/// One whole reply. The typed accessors throw <see cref="RespProtocolException"/> when the reply is of another kind:
/// a server that answers with something else than its documentation says is not one to go on with.
/// </summary>
public readonly struct RespValue
{
    readonly long number;
    readonly object? content;

    RespValue(RespKind kind, long number, object? content)
    {
        Kind = kind;
        this.number = number;
        this.content = content;
    }

    /// <summary>The null bulk string and the null array alike.</summary>
    public static RespValue Null => default;

    public RespKind Kind { get; }

    public bool IsNull => Kind == RespKind.Null;

    public bool IsError => Kind == RespKind.Error;

    /// <summary>The error's text as Redis sent it; empty for every other kind.</summary>
    public string ErrorText => IsError ? Encoding.UTF8.GetString((byte[])content!) : "";

    public ReadOnlyMemory<byte> Bytes => Kind is RespKind.Bulk or RespKind.Simple or RespKind.Error ? (byte[])content! : throw Wrong("a string");

    public IReadOnlyList<RespValue> Items => Kind == RespKind.Array ? (RespValue[])content! : throw Wrong("an array");

    /// <summary>UTF-8; null for a null reply.</summary>
    public string? AsString() => Kind switch
    {
        RespKind.Null => null,
        RespKind.Integer => number.ToString(CultureInfo.InvariantCulture),
        RespKind.Bulk or RespKind.Simple => Encoding.UTF8.GetString((byte[])content!),
        _ => throw Wrong("a string"),
    };

    public long AsInt64() => Kind == RespKind.Integer ? number : throw Wrong("a number");

    public static RespValue Simple(byte[] text) => new(RespKind.Simple, 0, text);

    public static RespValue Error(byte[] text) => new(RespKind.Error, 0, text);

    public static RespValue Integer(long value) => new(RespKind.Integer, value, null);

    public static RespValue Bulk(byte[] value) => new(RespKind.Bulk, 0, value);

    public static RespValue Array(RespValue[] items) => new(RespKind.Array, 0, items);

    /// <summary>For messages: kind and text of a scalar, kind and count of an array.</summary>
    public override string ToString() => Kind switch
    {
        RespKind.Null => "(nil)",
        RespKind.Error => $"(error) {ErrorText}",
        RespKind.Array => $"(array of {Items.Count})",
        _ => AsString()!,
    };

    RespProtocolException Wrong(string expected) => new($"Redis answered with {Kind.ToString().ToLowerInvariant()} where {expected} belongs.");
}

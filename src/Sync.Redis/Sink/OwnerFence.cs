using Sync.Engine.Resp;

namespace Sync.Redis.Sink;

/// <summary>
/// The right to write for a slot: a key that holds the owner's token. Every connection of the owner keeps the key under WATCH, so a flight
/// of an owner that was replaced is refused by Redis itself, whatever that owner believes.
/// </summary>
/// <param name="Key">The key.</param>
/// <param name="Token">This incarnation's token; never used by another.</param>
public sealed record OwnerFence(string Key, string Token)
{
    byte[]? renewal;

    /// <summary>WATCH and GET, to be sent behind EXEC, which ends every watch.</summary>
    internal ReadOnlySpan<byte> Renewal => renewal ??= Render();

    byte[] Render()
    {
        var writer = new RespWriter(128);
        writer.ArrayHeader(2);
        writer.Bulk("WATCH"u8);
        writer.Bulk(Key);
        writer.ArrayHeader(2);
        writer.Bulk("GET"u8);
        writer.Bulk(Key);
        byte[] bytes = writer.Written.ToArray();
        writer.Release();
        return bytes;
    }
}

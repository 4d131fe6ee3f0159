using System.Globalization;
using System.Text;

namespace Sync.Redis.Cluster;

/// <summary>
/// Which of the 16384 hash slots a key belongs to (Redis docs, "Redis cluster specification", "Key distribution model" and "Hash tags"): CRC16 in
/// its XMODEM form, of the key or of what stands between its first <c>{</c> and the next <c>}</c>, unless that is empty.
/// </summary>
public static class HashSlots
{
    public const int Count = 16384;

    static readonly ushort[] crcs = Crcs();
    static readonly Lazy<string[]> tags = new(Tags);

    public static int Of(ReadOnlySpan<byte> key)
    {
        int open = key.IndexOf((byte)'{');
        if (open >= 0)
        {
            int length = key[(open + 1)..].IndexOf((byte)'}');
            if (length > 0) key = key.Slice(open + 1, length);
        }
        return Crc(key) % Count;
    }

    public static int Of(string key) => Of(Encoding.UTF8.GetBytes(key));

    /// <summary>A short text that belongs to the slot, for the hash tag of a key that has to be there. The same in every version.</summary>
    public static string TagOf(int slot) => tags.Value[slot];

    static string[] Tags()
    {
        string[] found = new string[Count];
        int missing = Count;
        for (int number = 0; missing > 0; number++)
        {
            string text = number.ToString("x", CultureInfo.InvariantCulture);
            ref string? place = ref found[Of(text)]!;
            if (place is not null) continue;
            place = text;
            missing--;
        }
        return found;
    }

    static ushort Crc(ReadOnlySpan<byte> bytes)
    {
        ushort crc = 0;
        foreach (byte b in bytes) crc = (ushort)((crc << 8) ^ crcs[(crc >> 8) ^ b]);
        return crc;
    }

    static ushort[] Crcs()
    {
        ushort[] table = new ushort[256];
        for (int i = 0; i < 256; i++)
        {
            int crc = i << 8;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
            table[i] = (ushort)crc;
        }
        return table;
    }
}

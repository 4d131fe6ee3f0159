using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sync.Engine.Mapping.Conditions;

/// <summary>An inet or cidr, ordered as PostgreSQL does: IPv4 first, then by the common part of the networks, their lengths, and the whole address.</summary>
/// <param name="IsV6">The family.</param>
/// <param name="Length">Bits of the network.</param>
/// <param name="Address">The address, from the highest bit on.</param>
readonly record struct NetworkAddress(bool IsV6, int Length, UInt128 Address) : IComparable<NetworkAddress>
{
    /// <summary>Whether nothing stands behind the network's bits, as cidr wants it.</summary>
    public bool IsNetwork => Prefix(Length) == Address;

    public int CompareTo(NetworkAddress other)
    {
        if (IsV6 != other.IsV6) return IsV6.CompareTo(other.IsV6);
        int common = Math.Min(Length, other.Length);
        int order = Prefix(common).CompareTo(other.Prefix(common));
        if (order == 0) order = Length.CompareTo(other.Length);
        return order != 0 ? order : Address.CompareTo(other.Address);
    }

    UInt128 Prefix(int bits) => bits == 0 ? 0 : Address & (UInt128.MaxValue << (128 - bits));

    /// <summary>Reads 192.168.0.1, 192.168.0.0/24, ::1 and 2001:db8::/32.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out NetworkAddress network)
    {
        network = default;
        text = text[Ascii.Trim(text)];
        int slash = text.IndexOf((byte)'/');
        var address = slash < 0 ? text : text[..slash];
        bool isV6 = address.Contains((byte)':');
        int most = isV6 ? 128 : 32, length = most;
        if (slash >= 0)
        {
            var scanner = new TextScanner(text[(slash + 1)..]);
            if (!scanner.Digits(1, 3, out long bits) || !scanner.IsAtEnd || bits > most) return false;
            length = (int)bits;
        }
        if (!(isV6 ? TryV6(address, out var value) : TryV4(address, out value))) return false;
        network = new NetworkAddress(isV6, length, value);
        return true;
    }

    static bool TryV4(ReadOnlySpan<byte> text, out UInt128 address)
    {
        address = 0;
        var scanner = new TextScanner(text);
        ulong bits = 0;
        for (int i = 0; i < 4; i++)
        {
            if ((i > 0 && !scanner.Take('.')) || !scanner.Digits(1, 3, out long part) || part > 255) return false;
            bits = (bits << 8) | (ulong)part;
        }
        address = (UInt128)bits << 96;
        return scanner.IsAtEnd;
    }

    static bool TryV6(ReadOnlySpan<byte> text, out UInt128 address)
    {
        address = 0;
        Span<char> characters = stackalloc char[64];
        if (text.Length > characters.Length || text.ContainsAnyExcept("0123456789abcdefABCDEF:."u8)) return false;
        Encoding.ASCII.GetChars(text, characters);
        if (!IPAddress.TryParse(characters[..text.Length], out var parsed) || parsed.AddressFamily != AddressFamily.InterNetworkV6) return false;
        Span<byte> bytes = stackalloc byte[16];
        parsed.TryWriteBytes(bytes, out _);
        address = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return true;
    }
}

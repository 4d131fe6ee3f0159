using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Sync.Engine.Resp;

namespace Sync.Redis.Multiplexer;

/// <summary>The part of MessagePack that a script's argument needs: arrays of byte strings (MessagePack specification, "array format family", "str format family").</summary>
static class MessagePack
{
    const byte Array16 = 0xdc, Array32 = 0xdd, Text8 = 0xd9, Text16 = 0xda, Text32 = 0xdb;
    const byte SmallArray = 0x90, SmallText = 0xa0;

    /// <summary>The head of an array, whose items must follow.</summary>
    public static void Array(RespWriter to, int items)
    {
        if (items < 16) to.Byte((byte)(SmallArray | items));
        else if (items <= ushort.MaxValue) Head(to, Array16, (ushort)items);
        else Head(to, Array32, items);
    }

    /// <summary>The head of an array whose number of items is not known yet, at the begin of a writer.</summary>
    public static void OpenArray(RespWriter to) => Head(to, Array32, 0);

    /// <summary>Tells the array that begins the writer how many items follow.</summary>
    public static void CloseArray(RespWriter of, int items) =>
        BinaryPrimitives.WriteInt32BigEndian(MemoryMarshal.AsMemory(of.WrittenMemory).Span[1..], items);

    public static void Text(RespWriter to, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 32) to.Byte((byte)(SmallText | bytes.Length));
        else if (bytes.Length <= byte.MaxValue)
        {
            to.Byte(Text8);
            to.Byte((byte)bytes.Length);
        }
        else if (bytes.Length <= ushort.MaxValue) Head(to, Text16, (ushort)bytes.Length);
        else Head(to, Text32, bytes.Length);
        to.Raw(bytes);
    }

    static void Head(RespWriter to, byte kind, ushort count)
    {
        var target = to.GetSpan(3);
        target[0] = kind;
        BinaryPrimitives.WriteUInt16BigEndian(target[1..], count);
        to.Advance(3);
    }

    static void Head(RespWriter to, byte kind, int count)
    {
        var target = to.GetSpan(5);
        target[0] = kind;
        BinaryPrimitives.WriteInt32BigEndian(target[1..], count);
        to.Advance(5);
    }
}

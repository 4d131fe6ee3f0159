using System.Buffers.Binary;
using System.Text;

namespace Sync.Micro.Operations;

/// <summary>pgoutput messages of a table of users (PostgreSQL docs, "Logical Replication Message Formats").</summary>
static class Messages
{
    public const int Oid = 16400;

    // pg_type.oid of bigint, text, integer, numeric and timestamptz.
    const int int8 = 20, text = 25, int4 = 23, numeric = 1700, timestamptz = 1184;

    public static readonly IReadOnlyList<(string Name, int Type)> Columns =
    [
        ("id", int8), ("name", text), ("email", text), ("status", text), ("score", int4), ("balance", numeric), ("created_at", timestamptz), ("updated_at", timestamptz),
    ];

    public static byte[] Relation()
    {
        var message = new List<byte>();
        message.Add((byte)'R');
        Int32(message, Oid);
        Text(message, "public");
        Text(message, "users");
        message.Add((byte)'d');
        Int16(message, Columns.Count);
        foreach (var (name, type) in Columns)
        {
            message.Add(name == "id" ? (byte)1 : (byte)0);
            Text(message, name);
            Int32(message, type);
            Int32(message, -1);
        }
        return [.. message];
    }

    /// <summary>An insert, an update or a delete by turns.</summary>
    public static byte[] Row(int id)
    {
        char kind = "IUD"[id % 3];
        var message = new List<byte>();
        message.Add((byte)kind);
        Int32(message, Oid);
        message.Add(kind == 'D' ? (byte)'K' : (byte)'N');
        Int16(message, Columns.Count);
        string[] values =
        [
            $"{id}", $"User Name {id}", $"user{id}@example.com", "active", $"{id % 1000}", $"{id}.25", "2026-01-01 00:00:00.123456+00", "2026-02-01 00:00:00.654321+00",
        ];
        for (int i = 0; i < values.Length; i++)
        {
            if (kind == 'D' && i > 0)
            {
                message.Add((byte)'n');
                continue;
            }
            message.Add((byte)'t');
            Int32(message, values[i].Length);
            message.AddRange(Encoding.UTF8.GetBytes(values[i]));
        }
        return [.. message];
    }

    static void Int16(List<byte> message, int value)
    {
        Span<byte> bytes = stackalloc byte[2];
        BinaryPrimitives.WriteInt16BigEndian(bytes, (short)value);
        message.AddRange(bytes);
    }

    static void Int32(List<byte> message, int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        message.AddRange(bytes);
    }

    static void Text(List<byte> message, string value)
    {
        message.AddRange(Encoding.UTF8.GetBytes(value));
        message.Add(0);
    }
}

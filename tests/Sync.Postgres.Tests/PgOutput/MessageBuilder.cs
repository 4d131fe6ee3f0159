using System.Buffers.Binary;
using System.Text;

namespace Sync.Postgres.Tests.PgOutput;

/// <summary>Writes pgoutput messages field by field (PostgreSQL docs, "Logical Replication Message Formats").</summary>
sealed class MessageBuilder
{
    readonly List<byte> bytes = [];

    public static MessageBuilder Of(char kind) => new MessageBuilder().Byte((byte)kind);

    public byte[] Build() => [.. bytes];

    public MessageBuilder Byte(byte value)
    {
        bytes.Add(value);
        return this;
    }

    public MessageBuilder Int16(short value) => Raw(2, b => BinaryPrimitives.WriteInt16BigEndian(b, value));

    public MessageBuilder Int32(int value) => Raw(4, b => BinaryPrimitives.WriteInt32BigEndian(b, value));

    public MessageBuilder Int64(long value) => Raw(8, b => BinaryPrimitives.WriteInt64BigEndian(b, value));

    public MessageBuilder Text(string value)
    {
        bytes.AddRange(Encoding.UTF8.GetBytes(value));
        bytes.Add(0);
        return this;
    }

    public MessageBuilder Bytes(byte[] value)
    {
        bytes.AddRange(value);
        return this;
    }

    /// <summary>A tuple: null is SQL NULL, "\u0001" an unchanged TOAST value, all else text.</summary>
    public MessageBuilder Tuple(char part, params string?[] values)
    {
        Byte((byte)part).Int16((short)values.Length);
        foreach (string? value in values)
        {
            if (value is null) Byte((byte)'n');
            else if (value == Unchanged) Byte((byte)'u');
            else
            {
                byte[] text = Encoding.UTF8.GetBytes(value);
                Byte((byte)'t').Int32(text.Length).Bytes(text);
            }
        }
        return this;
    }

    public const string Unchanged = "\u0001";

    public static byte[] Relation(uint oid, string schema, string name, char identity, params (string Name, uint Type, bool Key)[] columns)
    {
        var message = Of('R').Int32((int)oid).Text(schema).Text(name).Byte((byte)identity).Int16((short)columns.Length);
        foreach (var (column, type, key) in columns) message.Byte(key ? (byte)1 : (byte)0).Text(column).Int32((int)type).Int32(-1);
        return message.Build();
    }

    MessageBuilder Raw(int count, Action<Span<byte>> write)
    {
        byte[] field = new byte[count];
        write(field);
        return Bytes(field);
    }
}

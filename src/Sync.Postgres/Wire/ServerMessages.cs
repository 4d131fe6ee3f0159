using System.Buffers.Binary;
using System.Text;
using Npgsql;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Wire;

/// <summary>Types of the server's messages that matter here; each is the byte on the wire (PostgreSQL docs, "Message Formats").</summary>
static class ServerMessageType
{
    public const byte Authentication = (byte)'R', BackendKeyData = (byte)'K', CopyBothResponse = (byte)'W', CopyData = (byte)'d', CopyDone = (byte)'c',
        CommandComplete = (byte)'C', DataRow = (byte)'D', ErrorResponse = (byte)'E', NoticeResponse = (byte)'N', ParameterStatus = (byte)'S', ReadyForQuery = (byte)'Z';
}

/// <summary>Reads what the server says apart from rows.</summary>
static class ServerMessages
{
    /// <summary>The values of a DataRow as text; null for NULL.</summary>
    public static string?[] Row(ReadOnlySpan<byte> body)
    {
        string?[] values = new string?[BinaryPrimitives.ReadInt16BigEndian(body)];
        body = body[2..];
        for (int i = 0; i < values.Length; i++)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(body);
            body = body[4..];
            if (length < 0) continue;
            values[i] = Encoding.UTF8.GetString(body[..length]);
            body = body[length..];
        }
        return values;
    }

    /// <summary>The error of an ErrorResponse (PostgreSQL docs, "Error and Notice Message Fields") as the driver's exception, so that all errors are judged in one place.</summary>
    public static PostgresException Error(ReadOnlySpan<byte> body)
    {
        var reader = new WireReader(body);
        string message = "", severity = "ERROR", state = "XX000";
        string? invariantSeverity = null, detail = null, hint = null, file = null, line = null, routine = null;
        for (byte field = reader.Byte(); field != 0; field = reader.Byte())
        {
            string value = reader.Text();
            switch ((char)field)
            {
                case 'S': severity = value; break;
                case 'V': invariantSeverity = value; break;
                case 'C': state = value; break;
                case 'M': message = value; break;
                case 'D': detail = value; break;
                case 'H': hint = value; break;
                case 'F': file = value; break;
                case 'L': line = value; break;
                case 'R': routine = value; break;
            }
        }
        return new PostgresException(message, severity, invariantSeverity ?? severity, state, detail, hint, file: file, line: line, routine: routine);
    }
}

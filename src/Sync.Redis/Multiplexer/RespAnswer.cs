using StackExchange.Redis;
using Sync.Engine.Resp;
using Sync.Redis.DeadLetters;

namespace Sync.Redis.Multiplexer;

/// <summary>Writes replies as Redis would have sent them.</summary>
static class RespAnswer
{
    public static void Ok(RespWriter to) => to.Raw("+OK\r\n"u8);

    /// <summary>The error of a command, without the name of the script that ran it.</summary>
    public static void Error(RespWriter to, string text)
    {
        to.Byte((byte)'-');
        to.Text(DeadLetterCodec.CleanScriptError(text).ReplaceLineEndings(" "));
        to.Raw("\r\n"u8);
    }

    public static void Value(RespWriter to, RedisResult result)
    {
        switch (result.Resp2Type)
        {
            case ResultType.Error:
                Error(to, result.ToString()!);
                return;
            case ResultType.SimpleString:
                to.Byte((byte)'+');
                to.Text(result.ToString()!);
                to.Raw("\r\n"u8);
                return;
            case ResultType.Integer:
                Integer(to, (long)result);
                return;
            case ResultType.Array when !result.IsNull:
                to.ArrayHeader(result.Length);
                for (int i = 0; i < result.Length; i++) Value(to, result[i]);
                return;
            case ResultType.BulkString when !result.IsNull:
                to.Bulk((byte[])result!);
                return;
            default:
                to.Raw("$-1\r\n"u8);
                return;
        }
    }

    /// <summary>The replies to MULTI, its commands and EXEC, from what the script gave; see <see cref="TransactionScript.Text"/>.</summary>
    /// <param name="to">Where to.</param>
    /// <param name="commands">How many there were.</param>
    /// <param name="result">What the script gave.</param>
    /// <param name="hasValues">Whether that are all replies, or the errors alone.</param>
    public static void Transaction(RespWriter to, int commands, RedisResult result, bool hasValues)
    {
        Queued(to, commands);
        if (result.IsNull)
        {
            to.Raw("*-1\r\n"u8);
            return;
        }
        if (hasValues)
        {
            Value(to, result);
            return;
        }
        to.ArrayHeader(commands);
        int next = 0;
        for (int i = 0; i < result.Length; i += 2)
        {
            int failed = (int)result[i];
            for (; next < failed; next++) Integer(to, 0);
            Error(to, result[i + 1].ToString()!);
            next = failed + 1;
        }
        for (; next < commands; next++) Integer(to, 0);
    }

    /// <summary>The same for a script that Redis refused as a whole, or that ended because Redis can't take writes: nothing ran.</summary>
    public static void Refused(RespWriter to, int commands, string error)
    {
        Queued(to, commands);
        Error(to, $"EXECABORT Transaction discarded because of: {error}");
    }

    static void Queued(RespWriter to, int commands)
    {
        Ok(to);
        for (int i = 0; i < commands; i++) to.Raw("+QUEUED\r\n"u8);
    }

    static void Integer(RespWriter to, long number)
    {
        to.Byte((byte)':');
        to.Number(number);
        to.Raw("\r\n"u8);
    }
}

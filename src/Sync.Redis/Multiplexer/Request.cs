using Sync.Engine.DeadLetters;
using Sync.Engine.Resp;

namespace Sync.Redis.Multiplexer;

enum StepKind { Command, Watch, Unwatch, Transaction }

/// <param name="Kind">What to do.</param>
/// <param name="Arguments">Of a command, its name first; the keys of a WATCH.</param>
/// <param name="Commands">Commands of a transaction.</param>
readonly record struct Step(StepKind Kind, byte[][] Arguments, int Commands);

/// <summary>
/// Cuts commands in RESP into steps. What stands between MULTI and EXEC is rewritten for the script right away, without an object per command: that is where the
/// rows are.
/// </summary>
static class Request
{
    /// <param name="request">Whole commands in each segment, and at most one transaction.</param>
    /// <param name="steps">Takes the steps.</param>
    /// <param name="transaction">Takes the commands of the transaction.</param>
    public static void Parse(List<ArraySegment<byte>> request, List<Step> steps, RespWriter transaction)
    {
        int inside = -1;
        foreach (var segment in request)
        {
            var reader = new CommandReader(segment);
            while (reader.TryReadCommand(out int count))
            {
                var name = reader.ReadArgument();
                if (inside < 0 && Is(name, "MULTI"u8))
                {
                    if (transaction.Length > 0) throw new InvalidOperationException("A request takes one transaction.");
                    inside = 0;
                    MessagePack.OpenArray(transaction);
                }
                else if (inside >= 0 && Is(name, "EXEC"u8))
                {
                    MessagePack.CloseArray(transaction, inside);
                    steps.Add(new Step(StepKind.Transaction, [], inside));
                    inside = -1;
                }
                else if (inside >= 0)
                {
                    MessagePack.Array(transaction, count);
                    MessagePack.Text(transaction, name);
                    for (int i = 1; i < count; i++) MessagePack.Text(transaction, reader.ReadArgument());
                    inside++;
                }
                else steps.Add(Single(ref reader, name, count));
            }
        }
        if (inside >= 0) throw new InvalidOperationException("A request ends inside a transaction.");
    }

    static Step Single(ref CommandReader reader, ReadOnlySpan<byte> name, int count)
    {
        var arguments = new byte[count][];
        arguments[0] = name.ToArray();
        for (int i = 1; i < count; i++) arguments[i] = reader.ReadArgument().ToArray();
        if (Is(name, "WATCH"u8)) return new Step(StepKind.Watch, arguments[1..], 0);
        return new Step(Is(name, "UNWATCH"u8) ? StepKind.Unwatch : StepKind.Command, arguments, 0);
    }

    /// <summary>Our own commands are written in upper case.</summary>
    static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> other) => name.SequenceEqual(other);
}

using System.Text;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Resp;

namespace Sync.Redis.Cluster;

/// <param name="Batch">Index of the batch in the flight.</param>
/// <param name="Entry">Index of the change in the batch.</param>
/// <param name="Command">Index of the command in the change.</param>
/// <param name="Bytes">The command, or the part of it whose keys are in this slot.</param>
readonly record struct SlotCommand(int Batch, int Entry, int Command, ReadOnlyMemory<byte> Bytes);

/// <summary>
/// A flight, split by hash slot: what goes to one slot, in the order of the flight. DEL, UNLINK and MSET of keys in several slots become one command for
/// each; every other command has one key. A command without a key (PUBLISH) goes by its channel. Pure.
/// </summary>
static class SlotGroups
{
    /// <summary>The commands by slot; slots in the order in which they come up.</summary>
    public static Dictionary<int, List<SlotCommand>> Split(IReadOnlyList<Batch> flight)
    {
        var groups = new Dictionary<int, List<SlotCommand>>();
        for (int batch = 0; batch < flight.Count; batch++)
        {
            var body = flight[batch].Body.WrittenMemory;
            for (int entry = 0; entry < flight[batch].Count; entry++)
            {
                ref readonly var e = ref flight[batch].Entries[entry];
                foreach (var (slot, bytes, command) in Commands(body.Slice(e.BodyOffset, e.BodyLength)))
                {
                    if (!groups.TryGetValue(slot, out var group)) groups[slot] = group = [];
                    group.Add(new SlotCommand(batch, entry, command, bytes));
                }
            }
        }
        return groups;
    }

    /// <summary>The commands of one change with their slots and indexes.</summary>
    public static List<(int Slot, ReadOnlyMemory<byte> Bytes, int Command)> Commands(ReadOnlyMemory<byte> commands)
    {
        var found = new List<(int, ReadOnlyMemory<byte>, int)>();
        var reader = new CommandReader(commands.Span);
        for (int index = 0, start = 0; reader.TryReadCommand(out int count); index++, start = reader.Offset)
        {
            string name = Encoding.ASCII.GetString(reader.ReadArgument());
            bool several = name is "DEL" or "UNLINK" && count > 2 || name == "MSET" && count > 3;
            int slot = count > 1 ? HashSlots.Of(reader.ReadArgument()) : 0;
            bool isSplit = false;
            for (int i = 2; i < count; i++)
            {
                var argument = reader.ReadArgument();
                isSplit |= several && (name != "MSET" || i % 2 == 1) && HashSlots.Of(argument) != slot;
            }
            var bytes = commands[start..reader.Offset];
            if (!isSplit) found.Add((slot, bytes, index));
            else foreach (var (own, part) in Parts(name, bytes)) found.Add((own, part, index));
        }
        return found;
    }

    static IEnumerable<(int Slot, byte[] Bytes)> Parts(string name, ReadOnlyMemory<byte> command)
    {
        var bySlot = new Dictionary<int, List<byte[]>>();
        var reader = new CommandReader(command.Span);
        reader.TryReadCommand(out int count);
        reader.ReadArgument();
        for (int i = 1; i < count; i++)
        {
            byte[] key = reader.ReadArgument().ToArray();
            int slot = HashSlots.Of(key);
            if (!bySlot.TryGetValue(slot, out var arguments)) bySlot[slot] = arguments = [];
            arguments.Add(key);
            if (name != "MSET") continue;
            arguments.Add(reader.ReadArgument().ToArray());
            i++;
        }
        return [.. bySlot.Select(own => (own.Key, Render(name, own.Value)))];
    }

    static byte[] Render(string name, List<byte[]> arguments)
    {
        var writer = new RespWriter(64);
        writer.ArrayHeader(arguments.Count + 1);
        writer.Bulk(Encoding.ASCII.GetBytes(name));
        foreach (byte[] argument in arguments) writer.Bulk(argument);
        byte[] bytes = writer.Written.ToArray();
        writer.Release();
        return bytes;
    }

}

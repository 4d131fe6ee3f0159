using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Resp;

namespace Sync.Redis.Tests.Support;

/// <summary>Batches as the engine makes them, from commands written as texts.</summary>
static class Batches
{
    public static Batch Of(params string[][][] entries)
    {
        var batch = new Batch();
        foreach (string[][] commands in entries) batch.AddEntry(commands);
        return batch;
    }

    /// <summary>One entry with one command each.</summary>
    public static Batch Single(params string[][] commands) => Of([.. commands.Select(command => new[] { command })]);

    public static void AddEntry(this Batch batch, params string[][] commands)
    {
        byte[] bytes = Resp(commands);
        batch.Add(batch.Count, At(batch.Count + 1), bytes, commands.Length, Encoding.UTF8.GetBytes(commands[0][1]), 0, ChangeKind.Insert, 0);
    }

    public static byte[] Resp(params string[][] commands)
    {
        var writer = new RespWriter();
        foreach (string[] command in commands)
        {
            writer.ArrayHeader(command.Length);
            foreach (string argument in command) writer.Bulk(argument);
        }
        byte[] bytes = writer.Written.ToArray();
        writer.Release();
        return bytes;
    }

    public static Position At(int n) => new(new Lsn(0x1000), (ulong)n);
}

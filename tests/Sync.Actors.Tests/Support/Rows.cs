using System.Text;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;

namespace Sync.Actors.Tests.Support;

/// <summary>Rows whose position is their number.</summary>
static class Rows
{
    static readonly byte[] command = "*1\r\n$4\r\nPING\r\n"u8.ToArray();

    public static Position At(int number) => new(new Lsn((ulong)number), 0);

    public static Batch Batch(params (int Number, string Key)[] rows)
    {
        var batch = new Batch();
        foreach (var (number, key) in rows) batch.Add(number, At(number), command, 1, Encoding.UTF8.GetBytes(key), 0, ChangeKind.Update, 0);
        return batch;
    }

    public static LaneBatch Message(int lane, long epoch, long seq, long oldest, params (int Number, string Key)[] rows) =>
        new(lane, epoch, seq, oldest, Batch(rows).ToRows());

    public static IEnumerable<(int Number, string Key)> Of(IEnumerable<Batch> batches)
    {
        foreach (var batch in batches)
            for (int i = 0; i < batch.Count; i++)
                yield return ((int)batch.Entries[i].Position.Commit.Value, Encoding.UTF8.GetString(batch.Key(batch.Entries[i])));
    }
}

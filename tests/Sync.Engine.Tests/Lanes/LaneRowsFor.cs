using System.Text;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;

namespace Sync.Engine.Tests.Lanes;

/// <summary>Rows to try the types with.</summary>
static class LaneRowsFor
{
    /// <summary>Bytes of a row that <see cref="Positions"/> makes.</summary>
    public const int RowBytes = 22;

    static readonly byte[] command = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"u8.ToArray();

    public static Position At(long commit) => new(new Lsn((ulong)commit), 0);

    public static Batch BatchOf(params (long Commit, string Key)[] rows)
    {
        var batch = new Batch();
        foreach (var (commit, key) in rows)
            batch.Add(commit, commit == 0 ? Position.None : At(commit), command, 1, Encoding.UTF8.GetBytes(key), 0, ChangeKind.Update, 0);
        return batch;
    }

    /// <summary>Rows of keys of two letters at these commits; 0 makes a row of a copy.</summary>
    public static LaneRows Positions(params long[] commits) => BatchOf([.. commits.Select((commit, i) => (commit, $"k{i % 10}"))]).ToRows();
}

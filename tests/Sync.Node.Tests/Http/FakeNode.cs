using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.DeadLetters;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Node.Resync;

namespace Sync.Node.Tests.Http;

/// <summary>A node that says what a test wants it to say, and notes what it was asked to do.</summary>
class FakeNode : INodeAdmin, IDeadLetterReader
{
    public NodeStatus Status { get; set; } = new()
    {
        Version = "9.9.9",
        State = NodeState.Streaming,
        StartedAt = new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero),
        Slot = "shop",
        Publication = "pub",
        Ready = true,
        LagBytes = 4096,
        LagMs = 1.5,
        Tables = [new TableStatus("public.orders", 7, 1, 2, "", null)],
    };

    public List<DeadLetter> Letters { get; } = [];
    public List<string> Asked { get; } = [];

    /// <summary>Thrown by whatever changes something.</summary>
    public Exception? Failure { get; set; }

    public static DeadLetter Letter(int number, string key = "public.orders:1") => new()
    {
        Id = $"1700000000000-{number}",
        Position = new Position(new Lsn(0x1000), (ulong)number),
        Table = "public.orders",
        Kind = ChangeKind.Update,
        Key = Encoding.UTF8.GetBytes(key),
        Commands = "*3\r\n$3\r\nSET\r\n$3\r\no:1\r\n$9\r\ntwo\r\nline\r\n"u8.ToArray(),
        Error = "WRONGTYPE Operation against a key holding the wrong kind of value",
        At = new DateTimeOffset(2026, 1, 31, 12, 0, number, TimeSpan.Zero),
        Attempts = 1,
    };

    public Task<RetryOutcome> RetryDeadLettersAsync(byte[]? key, bool force, CancellationToken cancellationToken)
    {
        Asked.Add($"retry {(key is null ? "all" : Encoding.UTF8.GetString(key))}");
        return Failure is null ? Task.FromResult(new RetryOutcome(3, 1)) : throw Failure;
    }

    public Task<int> DropDeadLettersAsync(string? id, byte[]? key, CancellationToken cancellationToken)
    {
        Asked.Add($"drop id={id} key={(key is null ? "" : Encoding.UTF8.GetString(key))}");
        return Failure is null ? Task.FromResult(2) : throw Failure;
    }

    public Task<IReadOnlyList<ResyncStatus>> StartResyncAsync(string? table, int rowsPerSecond, CancellationToken cancellationToken)
    {
        Asked.Add($"resync {table ?? "all"} at {rowsPerSecond}");
        return Failure is null ? Task.FromResult(Status.Resyncs) : throw Failure;
    }

    public Task<IReadOnlyList<ResyncStatus>> OrderResyncAsync(string? table, ResyncOrder order, CancellationToken cancellationToken)
    {
        Asked.Add($"{order.ToString().ToLowerInvariant()} {table ?? "all"}");
        return Failure is null ? Task.FromResult(Status.Resyncs) : throw Failure;
    }

    public Task<RepairReply> RepairAsync(RepairRequest request, CancellationToken cancellationToken)
    {
        Asked.Add($"repair {request.Table}: {request.Rows.Count} rows, {string.Join(' ', request.Remove.Select(p => $"{p.Key}/{p.Part}"))}");
        return Failure is null ? Task.FromResult(new RepairReply(1, 2, 0, "")) : throw Failure;
    }

    public Task<IReadOnlyList<DeadLetter>> ListAsync(string? after, int count, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<DeadLetter>>([.. Letters.Where(l => after is null || string.CompareOrdinal(l.Id, after) > 0).Take(count)]);

    public Task<DeadLetter?> GetAsync(string id, CancellationToken cancellationToken) => Task.FromResult(Letters.Find(l => l.Id == id));
}

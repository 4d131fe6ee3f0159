using System.Text.Json;
using System.Threading.Channels;
using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Node.Resync;

namespace Sync.Node.Cluster;

/// <summary>Carries out what operators anywhere in the cluster ask of the reader, while this node is the one.</summary>
sealed class ReaderDesk(StatusBoard board) : IReaderDesk
{
    public async Task<ReaderAnswer?> CarryOutAsync(ReaderOrder order, CancellationToken stop)
    {
        if (board.Engine?.Resyncs is not { } desk) return null;
        try
        {
            object result = order.Verb == ReaderVerb.Repair
                ? await desk.RepairAsync(Read<RepairRequest>(order), stop)
                : new ResyncReply(await ResyncAsync(desk, order.Verb, Read<ResyncRequest>(order), stop));
            return new ReaderAnswer(order.Request, (int)ExitCode.Ok, JsonSerializer.Serialize(result, result.GetType(), HttpJson.Options));
        }
        catch (SyncException e) when (!desk.HasEnded)
        {
            return new ReaderAnswer(order.Request, (int)e.Code, e.Message);
        }
        catch (Exception e) when (e is SyncException or ChannelClosedException or OperationCanceledException)
        {
            // It reads no more; whoever reads next gets the order when it comes again.
            return null;
        }
    }

    static Task<IReadOnlyList<ResyncStatus>> ResyncAsync(ResyncDesk desk, ReaderVerb verb, ResyncRequest request, CancellationToken stop) => verb switch
    {
        ReaderVerb.Resync => desk.StartAsync(request.Table, request.Rate ?? ResyncStatus.DefaultRate, stop),
        ReaderVerb.Pause => desk.OrderAsync(request.Table, ResyncOrder.Pause, stop),
        ReaderVerb.Resume => desk.OrderAsync(request.Table, ResyncOrder.Resume, stop),
        ReaderVerb.Cancel => desk.OrderAsync(request.Table, ResyncOrder.Cancel, stop),
        _ => throw new SyncException(ExitCode.Usage, $"The node that reads knows no order of the number {(int)verb}; bring all nodes to the same version."),
    };

    static T Read<T>(ReaderOrder order) => JsonSerializer.Deserialize<T>(order.Content, HttpJson.Lenient)!;
}

using BenchmarkDotNet.Attributes;
using Sync.Micro.Operations;

namespace Sync.Micro;

/// <summary>The steps of a row's way, each alone; times and bytes are for one row.</summary>
[MemoryDiagnoser(displayGenColumns: false)]
[HideColumns("Error", "Median", "RatioSD")]
public class HotPath
{
    readonly DecodeOperation decode = new();
    readonly MapOperation hash = MapOperation.Hash(), json = MapOperation.Json(), several = MapOperation.Several();
    readonly EncodeOperation encode = new();
    readonly ReplyOperation replies = new();
    readonly OrderingOperation ordering = new();
    readonly ProgressOperation progress = new();

    [Benchmark(OperationsPerInvoke = Operation.Rows)]
    public long Decode() => decode.Run();

    [Benchmark(OperationsPerInvoke = Operation.Rows)]
    public long MapToHash() => hash.Run();

    [Benchmark(OperationsPerInvoke = Operation.Rows)]
    public long MapToJson() => json.Run();

    [Benchmark(OperationsPerInvoke = Operation.Rows)]
    public long MapToFourCommands() => several.Run();

    [Benchmark(OperationsPerInvoke = Operation.Rows)]
    public long Encode() => encode.Run();

    [Benchmark(OperationsPerInvoke = Operation.Rows)]
    public long ParseReplies() => replies.Run();

    [Benchmark(OperationsPerInvoke = Operation.Rows)]
    public long OrderAndBatch() => ordering.Run();

    [Benchmark(OperationsPerInvoke = Operation.Rows)]
    public long TrackProgress() => progress.Run();
}

using Sync.Micro.Operations;

namespace Sync.Micro.Tests;

/// <summary>What a row costs the garbage collector on its way, step by step.</summary>
public class AllocationTests
{
    const int runs = 50;

    [Fact]
    public void Decoding_should_allocate_nothing() => BytesPerRow(new DecodeOperation()).ShouldBe(0);

    [Fact]
    public void Mapping_to_a_hash_should_allocate_nothing() => BytesPerRow(MapOperation.Hash()).ShouldBe(0);

    [Fact]
    public void Mapping_to_JSON_should_allocate_nothing() => BytesPerRow(MapOperation.Json()).ShouldBe(0);

    [Fact]
    public void Mapping_to_several_commands_should_allocate_nothing() => BytesPerRow(MapOperation.Several()).ShouldBe(0);

    [Fact]
    public void Encoding_should_allocate_nothing() => BytesPerRow(new EncodeOperation()).ShouldBe(0);

    [Fact]
    public void Parsing_replies_should_allocate_nothing() => BytesPerRow(new ReplyOperation()).ShouldBe(0);

    [Fact]
    public void Tracking_progress_should_allocate_nothing() => BytesPerRow(new ProgressOperation()).ShouldBe(0);

    // Three lists a flight, whatever the number of its rows; the batches here have a hundred.
    [Fact]
    public void Ordering_and_batching_should_allocate_for_the_flight_only() => BytesPerRow(new OrderingOperation()).ShouldBeLessThan(3);

    static double BytesPerRow(Operation operation)
    {
        long sum = operation.Run();
        sum.ShouldBeGreaterThan(0);
        // Buffers grow to their size, and code that collects its profile is compiled once more.
        for (int i = 0; i < runs; i++) operation.Run().ShouldBe(sum);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < runs; i++) operation.Run();
        return (double)(GC.GetAllocatedBytesForCurrentThread() - before) / (runs * Operation.Rows);
    }
}

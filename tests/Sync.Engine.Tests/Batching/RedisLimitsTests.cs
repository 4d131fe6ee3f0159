using Sync.Engine.Batching;
using Sync.Engine.Resp;

namespace Sync.Engine.Tests.Batching;

public class RedisLimitsTests
{
    const int Mb = 1024 * 1024;

    static byte[] Command(string name, params int[] sizes)
    {
        var writer = new RespWriter();
        writer.ArrayHeader(1 + sizes.Length);
        writer.Bulk(name);
        foreach (int size in sizes) writer.Bulk(new byte[size]);
        byte[] bytes = writer.Written.ToArray();
        writer.Release();
        return bytes;
    }

    [Fact]
    public void A_value_as_large_as_the_limit_should_pass_and_a_larger_one_should_be_named()
    {
        var limits = RedisLimits.Of(Mb, 1024L * Mb, countsQueued: true, isOneValue: false);
        limits.Refuse(Command("SET", 1, Mb)).ShouldBeNull();
        limits.Refuse(Command("SET", 1, Mb + 1)).ShouldBe(new Oversize("SET", Mb + 1, true, "proto-max-bulk-len", Mb, false));
        limits.Refuse(Command("HSET", 1, Mb / 2, 1, Mb / 2, 1, Mb / 2)).ShouldBeNull("each of its values fits");
    }

    [Fact]
    public void What_MULTI_queues_should_count_where_the_server_counts_it()
    {
        byte[] row = Command("HSET", 1, Mb / 2, 1, Mb / 2, 1, Mb / 2);
        RedisLimits.Of(512L * Mb, Mb, countsQueued: true, isOneValue: false).Refuse(row).ShouldBe(new Oversize("HSET", row.Length, false, "client-query-buffer-limit", Mb, false));
        RedisLimits.Of(512L * Mb, Mb, countsQueued: false, isOneValue: false).Refuse(row).ShouldBeNull();
        RedisLimits.Of(512L * Mb, Mb, countsQueued: false, isOneValue: false).Refuse(Command("SET", 1, Mb))!.Value.Setting.ShouldBe("client-query-buffer-limit", "it bounds a single value, too");
    }

    [Fact]
    public void A_transaction_that_goes_as_one_value_should_be_bound_as_one()
    {
        byte[] row = Command("HSET", 1, Mb / 2, 1, Mb / 2, 1, Mb / 2);
        RedisLimits.Of(Mb, 1024L * Mb, countsQueued: true, isOneValue: true).Refuse(row)!.Value.Setting.ShouldBe("proto-max-bulk-len");
    }

    [Fact]
    public void What_was_refused_should_be_known_until_Redis_tells_other_limits()
    {
        var learned = new LearnedLimits();
        var told = RedisLimits.Default;
        learned.RefusedValue(told, 3 * Mb);
        learned.RefusedValue(told, 2 * Mb);
        learned.RefusedValue(told, 4 * Mb);
        learned.Of(told).BulkBytes.ShouldBe(2 * Mb - 1);
        learned.Of(told with { BulkBytes = 8 * Mb }).BulkBytes.ShouldBe(8 * Mb);
        learned.RefusedChange(told, 1000);
        learned.Of(told).RequestBytes.ShouldBe(told.RequestBytes, "no Redis closes a connection over so little");
    }
}

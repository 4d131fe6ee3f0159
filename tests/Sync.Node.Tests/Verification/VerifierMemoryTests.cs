using System.Globalization;
using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Verification;

/// <summary>A comparison holds a chunk of rows, however large the table is.</summary>
[Collection(MemoryCollection.Name)]
[Trait("Speed", "Slow")]
public class VerifierMemoryTests(Servers servers)
{
    [Fact]
    public async Task Large_table_should_need_the_memory_of_a_chunk()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, """
            create table big(id int primary key, note text);
            insert into big select i, repeat('x', 200) || i from generate_series(1, 100000) i;
            """, "  - big");
        await pipeline.UntilAsync(() => Task.FromResult(pipeline.Host.Status.Tables[0].Rows == 100_000), "the table should be copied");
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("DEL", "public.big:77777");
        long before = GC.GetTotalMemory(forceFullCollection: true), most = before;
        var verifying = pipeline.VerifyAsync();
        while (await Task.WhenAny(verifying, Task.Delay(100)) != verifying) most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
        var report = await verifying;
        report.Differences().ShouldBe(["missing public.big:77777: no such key"]);
        (report.Tables[0].Rows, report.Tables[0].Searched).ShouldBe((100_000, 99_999));
        // All rows at once would be 22 MB of values alone, and several times as much with what is made of them.
        (most - before).ShouldBeLessThan(20 << 20, string.Create(CultureInfo.InvariantCulture, $"{before:N0} before, {most:N0} at most"));
    }
}

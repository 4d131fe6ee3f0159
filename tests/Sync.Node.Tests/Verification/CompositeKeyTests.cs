using Microsoft.Extensions.Logging.Abstractions;
using Sync.Contracts.Configuration;
using Sync.Node.Http;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Http;

namespace Sync.Node.Tests.Verification;

/// <summary>Keys of several texts: mapping, verify, repair and removal have to agree on how they are joined.</summary>
[Collection(ServersCollection.Name)]
public class CompositeKeyTests(Servers servers)
{
    const string Schema = "create table c(a text, b text, v int, primary key (a, b))";

    [Fact]
    public async Task Rows_whose_texts_join_alike_should_live_apart()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema + "; insert into c values ('x:y', 'z', 1), ('x', 'y:z', 2)", "  - c");
        await pipeline.CaughtUpAsync();
        (await pipeline.HashAsync(@"public.c:x\:y:z")).ShouldBe("a=x:y b=z v=1");
        (await pipeline.HashAsync("public.c:x:y:z")).ShouldBe("a=x b=y:z v=2");
        await pipeline.SqlAsync("delete from c where v = 1; insert into c values ('x', 'w', 3), ('p:q', 'r', 4); update c set a = 'x:y', b = 'z' where v = 3");
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).Where(k => k.StartsWith("public.c", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            .ShouldBe([@"public.c:p\:q:r", "public.c:x:y:z", @"public.c:x\:y:z"]);
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [Fact]
    public async Task Keys_of_an_earlier_version_should_be_found_and_mended()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema + "; insert into c values ('p:q', 'r', 4), ('p', 's', 5)", "  - c");
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("RENAME", @"public.c:p\:q:r", "public.c:p:q:r");
        (await pipeline.VerifyAsync()).Drift.ShouldBe(2);
        await using var server = await StatusServer.StartAsync(
            new HttpOptions { Host = "127.0.0.1", Port = 0 }, pipeline.Host, new FakeNode(), NullLogger.Instance, CancellationToken.None);
        (await pipeline.VerifyAsync(Comparison.Options with { Repair = true }, server.Url)).Tables[0].Repaired.ShouldBe(2);
        (await pipeline.HashAsync(@"public.c:p\:q:r")).ShouldBe("a=p:q b=r v=4");
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }
}

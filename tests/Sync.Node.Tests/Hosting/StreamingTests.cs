namespace Sync.Node.Tests.Hosting;

[Collection(ServersCollection.Name)]
public class StreamingTests(Servers servers)
{
    [Fact]
    public async Task Changes_should_become_commands()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, "create table orders(id int primary key, status text, amount numeric)", "  - orders");
        await pipeline.SqlAsync("insert into orders values (1, 'new', 12.50), (2, null, 3); update orders set status = 'paid' where id = 1; delete from orders where id = 2");
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).ShouldBe(["public.orders:1"]);
        (await pipeline.HashAsync("public.orders:1")).ShouldBe("amount=12.50 id=1 status=paid");
    }
}

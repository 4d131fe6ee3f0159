using Sync.Contracts;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary><c>actorsync resync</c> as a program.</summary>
[Collection(NodeCommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class ResyncTests(CommandServers servers)
{
    [Fact]
    public async Task Resync_should_mend_through_the_running_node_and_say_what_it_did()
    {
        string prefix = Guid.NewGuid().ToString("N");
        using var place = (await Workplace.CreateAsync(servers)).Configure($$"""
            - orders: { commands: [["SET", "{{prefix}}:{id}", "{note}"], ["INCR", "count"]] }
            """, more: $"http: {{ port: {Ports.Free()} }}");
        await place.SqlAsync("insert into orders values (1, 'one'), (2, 'two')");
        var alone = await place.RunAsync("resync", "--table", "orders");
        (alone.Code, alone.Error.Contains("No node answers", StringComparison.Ordinal)).ShouldBe(((int)ExitCode.CheckFailed, true), alone.Error);
        using var node = place.Start("run");
        await node.SaysAsync("streaming slot");
        await servers.Redis.ExecAsync("SET", $"{prefix}:2", "x");
        await servers.Redis.ExecAsync("SET", $"{prefix}:3", "x");
        var none = await place.RunAsync("resync", "--status");
        (none.Code, none.Out, none.Error).ShouldBe((0, "no re-sync is under way, and none has ended\n", ""));
        var done = await place.RunAsync("resync", "--table", "orders");
        done.Code.ShouldBe(0, done.Error);
        done.Out.ShouldBe("public.orders  done: 2 rows, 3 keys traced, 1 keys mended, 1 removed\n  not covered: INCR count: its effect depends on what was there before\n");
        (await place.RunAsync("verify")).Code.ShouldBe(0);
        var json = await place.RunAsync("resync", "--status", "--json");
        json.Out.ShouldContain("\"state\": \"done\"");
        var cancel = await place.RunAsync("resync", "--cancel");
        (cancel.Code, cancel.Error).ShouldBe(((int)ExitCode.Usage, "actorsync: No re-sync is under way: see actorsync resync --status.\n"));
    }

    [Theory]
    [InlineData("Say which table", "resync")]
    [InlineData("Say either --table or --all", "resync", "--all", "--table", "orders")]
    [InlineData("Say one of --status", "resync", "--pause", "--resume")]
    [InlineData("--rate takes 1 to", "resync", "--all", "--rate", "0")]
    [InlineData("is not configured", "resync", "--table", "nothing")]
    public async Task Nonsense_should_be_one_sentence(string sentence, params string[] arguments)
    {
        using var place = (await Workplace.CreateAsync(servers)).Configure("- orders");
        var ended = await place.RunAsync(arguments);
        ended.Code.ShouldBe((int)ExitCode.Usage, ended.Error);
        ended.Error.ShouldContain(sentence);
    }
}

using Sync.Contracts;
using Sync.Node.Commands;
using Sync.Node.Tests.Http;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary><c>actorsync cluster</c> before a node that says what a test wants it to say.</summary>
public sealed class ClusterTextTests
{
    [Theory]
    [InlineData("")]
    [InlineData("7", 7)]
    [InlineData("0-3, 7, 9-10", 0, 1, 2, 3, 7, 9, 10)]
    public void Numbers_should_be_told_as_ranges(string expected, params int[] numbers) => ClusterText.Ranges(numbers).ShouldBe(expected);

    [Fact]
    public async Task Status_should_tell_what_there_is_once_and_a_line_for_each_member_and_command()
    {
        using var folder = new Sandbox();
        await using var server = await RunningServer.StartAsync(node: new FakeClusterNode());
        var ended = await Program.RunAsync(folder, "cluster", "status", "--url", $"{server.Url}");
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldBe("""
            cluster       actorsync, slot shop, as node1:7719 sees it
            leader        node1:7719
            reader        node2:7719, epoch 4
            commands      at node1:7719
            lanes         256, no answer of 3-4, 9
            waiting       12 rows, 1.0 kB, lag 3.5 ms
            refused       Redis keeps refusing 1 lane
            dead letters  5 of 2 keys
            lease         node1:7719, 17 s left
            node1:7719	Up	reader,writer		4	12	1024	3.5	0
            node2:7719	Leaving, unreachable	reader	yes	0	0	0	0.0	0
            2026-01-31T12:00:00Z	leave	node2:7719	HTTP at node1:7719	done	node2:7719 is asked to leave.

            """);
    }

    [Fact]
    public async Task Lanes_should_be_lines_and_those_that_are_silent_be_named()
    {
        using var folder = new Sandbox();
        await using var server = await RunningServer.StartAsync(node: new FakeClusterNode());
        var ended = await Program.RunAsync(folder, "cluster", "lanes", "--url", $"{server.Url}");
        ended.ShouldBe(new Ended(
            0, "0\tnode1:7719\t4\t17\t0/1A2B3C8/2\t12\t1024\t3.5\topen\t1\n", "actorsync: no answer of 1 lane, which may be moving: 3\n"));
    }

    [Fact]
    public async Task Commands_should_end_with_a_sentence_and_a_code()
    {
        using var folder = new Sandbox();
        var node = new FakeClusterNode();
        await using var server = await RunningServer.StartAsync(node: node);
        await using var alone = await RunningServer.StartAsync();
        (await Program.RunAsync(folder, "cluster", "leave", "node2:7719", "--url", $"{server.Url}")).ShouldBe(new Ended(0, "node2:7719 is asked to leave.\n", ""));
        (await Program.RunAsync(folder, "cluster", "down", "nowhere:1", "--url", $"{server.Url}")).ShouldSay(ExitCode.Usage, "'nowhere:1' is no member");
        foreach (string[] command in (string[][])[["status"], ["lanes"], ["leave", "node1:7719"], ["down", "node1:7719"]])
        {
            (await Program.RunAsync(folder, ["cluster", .. command, "--url", $"{alone.Url}"])).ShouldSay(ExitCode.Usage, "works alone", "cluster.enabled");
            (await Program.RunAsync(folder, ["cluster", .. command, "--url", $"127.0.0.1:{Ports.Free()}"])).ShouldSay(ExitCode.CheckFailed, "No node answers at");
        }
        (await Program.RunAsync(folder, "cluster", "leave")).Code.ShouldBe((int)ExitCode.Usage);
    }
}

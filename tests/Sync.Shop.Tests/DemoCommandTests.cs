using Sync.Contracts;
using Sync.Node.Demo;

namespace Sync.Shop.Tests;

/// <summary>Counts the demos' folders, so no other test may start servers of a demo meanwhile.</summary>
[CollectionDefinition(nameof(DemoCommandTests), DisableParallelization = true)]
[Collection(nameof(DemoCommandTests))]
[Trait("Speed", "Slow")]
public class DemoCommandTests
{
    [Fact]
    public async Task Demo_should_end_with_the_nodes_last_words_and_leave_no_folder_when_the_node_dies()
    {
        var before = Folders();
        var options = new DemoOptions { NodeCommand = ["sh", "-c", "echo the slot is on fire; exit 3"] };
        var failure = await Should.ThrowAsync<SyncException>(() => DemoCommand.RunAsync(options, CancellationToken.None));
        failure.Message.ShouldContain("actorsync ended with exit code 3");
        failure.Message.ShouldContain("the slot is on fire");
        Folders().Except(before).ShouldBeEmpty();
    }

    [Fact]
    public async Task Demo_should_end_in_good_order_when_it_is_interrupted()
    {
        var before = Folders();
        using var stop = new CancellationTokenSource();
        var options = new DemoOptions { NodeCommand = ["sh", "-c", "exec sleep 600"] };
        var running = DemoCommand.RunAsync(options, stop.Token);
        // Everything is up once the node has its log.
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!Folders().Except(before).Any(folder => File.Exists(Path.Combine(folder, "actorsync.log")))) await Task.Delay(20, limit.Token);
        await stop.CancelAsync();
        (await running.WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe(0);
        Folders().Except(before).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0, null, "--seconds")]
    [InlineData(null, 0.0, "--rate")]
    [InlineData(null, 1000.0, "--rate")]
    public async Task Demo_should_refuse_options_out_of_range(int? seconds, double? rate, string option)
    {
        var failure = await Should.ThrowAsync<SyncException>(() => DemoCommand.RunAsync(new DemoOptions { Seconds = seconds, Rate = rate }, CancellationToken.None));
        failure.Code.ShouldBe(ExitCode.Usage);
        failure.Message.ShouldContain(option);
    }

    [Theory]
    [InlineData(1, null, "--cluster")]
    [InlineData(6, null, "--cluster")]
    [InlineData(3, 9, "--seconds")]
    public async Task Demo_of_a_cluster_should_refuse_options_out_of_range(int nodes, int? seconds, string option)
    {
        var failure = await Should.ThrowAsync<SyncException>(() => DemoCommand.RunAsync(new DemoOptions { Nodes = nodes, Seconds = seconds }, CancellationToken.None));
        failure.Code.ShouldBe(ExitCode.Usage);
        failure.Message.ShouldContain(option);
    }

    [Fact]
    public async Task Demo_of_a_cluster_should_find_every_key_right_after_a_node_joined_and_the_reader_was_killed()
    {
        var before = Folders();
        (await DemoCommand.RunAsync(new DemoOptions { Nodes = 3, Seconds = 15 }, CancellationToken.None)).ShouldBe(0);
        Folders().Except(before).ShouldBeEmpty();
    }

    [Fact]
    public async Task Demo_of_a_cluster_should_end_its_nodes_when_it_is_interrupted()
    {
        var before = Folders();
        using var stop = new CancellationTokenSource();
        var running = DemoCommand.RunAsync(new DemoOptions { Nodes = 2, NodeCommand = ["sh", "-c", "exec sleep 600"] }, stop.Token);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!Folders().Except(before).Any(folder => File.Exists(Path.Combine(folder, "node2.log")))) await Task.Delay(20, limit.Token);
        await stop.CancelAsync();
        (await running.WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe(0);
        Folders().Except(before).ShouldBeEmpty();
    }

    static HashSet<string> Folders() => [.. Directory.GetDirectories(Path.GetTempPath(), "actorsync-demo-*")];
}

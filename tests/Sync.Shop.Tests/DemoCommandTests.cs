using System.Diagnostics;
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

    [Fact]
    public async Task A_demo_that_is_killed_should_leave_neither_processes_nor_its_folder()
    {
        var before = Folders();
        using var demo = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "actorsync.dll"), "demo"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        _ = demo.StandardOutput.ReadToEndAsync();
        _ = demo.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        string? folder;
        // The shop is the last to be started.
        while ((folder = Folders().Except(before).FirstOrDefault(f => File.Exists(Path.Combine(f, "shop.log")))) is null)
        {
            if (demo.HasExited) throw new InvalidOperationException($"The demo ended with {demo.ExitCode}.");
            await Task.Delay(20, limit.Token);
        }
        WorkingIn(folder).Count.ShouldBeGreaterThan(3);
        demo.Kill();
        while (Directory.Exists(folder) || WorkingIn(folder).Count > 0) await Task.Delay(50, limit.Token);
    }

    /// <summary>Processes whose working directory is in a folder.</summary>
    static List<string> WorkingIn(string folder)
    {
        var found = new List<string>();
        foreach (string process in Directory.GetDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                if (new FileInfo(Path.Combine(process, "cwd")).LinkTarget?.StartsWith(folder, StringComparison.Ordinal) == true) found.Add(process);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* It has just ended. */ }
        }
        return found;
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

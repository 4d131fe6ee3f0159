using System.Net;
using System.Net.Sockets;
using Sync.Actors.Hosting;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Tests.Hosting;

public sealed class SeedResolverTests
{
    static readonly ClusterSeed named = new(new("node1", 7719), false), dns = new(new("nodes.internal", 7720), true);

    static Task<IReadOnlyList<HostPort>> ResolveAsync(LookUp lookUp, params ClusterSeed[] seeds) =>
        SeedResolver.ResolveAsync(seeds, lookUp, new NoWaiting(), CancellationToken.None);

    static LookUp Answering(params string[] addresses) => (_, _) => Task.FromResult(addresses.Select(IPAddress.Parse).ToArray());

    [Fact]
    public async Task Addresses_of_a_name_should_come_in_the_order_of_their_bytes()
    {
        string[] sorted = ["9.0.0.1", "10.0.0.2", "10.0.0.10", "10.0.0.200", "fd00::1"];
        foreach (int seed in Enumerable.Range(1, 10))
        {
            string[] shuffled = [.. sorted];
            new Random(seed).Shuffle(shuffled);
            (await ResolveAsync(Answering(shuffled), dns)).ShouldBe(sorted.Select(a => new HostPort(a, 7720)));
        }
    }

    [Fact]
    public async Task Seeds_should_keep_their_order_and_count_once()
    {
        var found = await ResolveAsync(Answering("10.0.0.2", "10.0.0.1"), named, dns, new ClusterSeed(new("10.0.0.1", 7720), false));
        found.ShouldBe([new HostPort("node1", 7719), new HostPort("10.0.0.1", 7720), new HostPort("10.0.0.2", 7720)]);
    }

    [Fact]
    public async Task A_name_that_comes_late_should_be_waited_for()
    {
        int asked = 0;
        var found = await ResolveAsync((_, _) => ++asked < 5 ? throw new SocketException((int)SocketError.HostNotFound) : Task.FromResult(new[] { IPAddress.Loopback }), dns);
        found.ShouldBe([new HostPort("127.0.0.1", 7720)]);
        asked.ShouldBe(5);
    }

    [Fact]
    public async Task A_name_that_never_comes_should_say_so()
    {
        var error = await Should.ThrowAsync<SyncException>(() => ResolveAsync(Answering(), dns));
        error.Code.ShouldBe(ExitCode.ClusterSeeds);
        error.Message.ShouldContain("nodes.internal");
    }

    [Fact]
    public async Task Other_seeds_should_do_without_a_name_that_went_away() =>
        (await ResolveAsync(Answering(), named, dns)).ShouldBe([named.Address]);

    /// <summary>Every wait is over at once.</summary>
    sealed class NoWaiting : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, dueTime == Timeout.InfiniteTimeSpan ? dueTime : TimeSpan.Zero, period);
    }
}

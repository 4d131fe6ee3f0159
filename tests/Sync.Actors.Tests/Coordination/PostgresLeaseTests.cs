using Akka.Configuration;
using Akka.Coordination;
using Akka.Event;
using Sync.Actors.Coordination;
using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;
using Sync.Testing;

namespace Sync.Actors.Tests.Coordination;

/// <summary>Two owners and their lease, once in memory and once in PostgreSQL. Times are short: held for 1.5 s, renewed every 150 ms.</summary>
[Trait("Speed", "Slow")]
public sealed class PostgresLeaseTests : IAsyncDisposable
{
    static readonly TimeSpan duration = TimeSpan.FromSeconds(1.5), interval = TimeSpan.FromMilliseconds(150);
    readonly CancellationTokenSource ending = new();
    readonly MemoryLeases memory = new();

    public async ValueTask DisposeAsync() => await ending.CancelAsync();

    PostgresLease Lease(string owner, ILeaseStore store, TimeProvider? time = null) => new(
        new LeaseSettings("downing", owner, new TimeoutSettings(interval, duration, TimeSpan.FromSeconds(1)), Config.Empty), store, time ?? TimeProvider.System, NoLogger.Instance, ending.Token);

    static async Task UntilAsync(Func<bool> condition)
    {
        for (int i = 0; !condition(); i++)
        {
            i.ShouldBeLessThan(500, "it did not come about within 10 s");
            await Task.Delay(20);
        }
    }

    [Fact]
    public async Task The_first_one_should_get_it_and_the_second_be_told_no_soon()
    {
        PostgresLease a = Lease("a", memory), b = Lease("b", memory);
        (await a.Acquire()).ShouldBeTrue();
        (await b.Acquire().WaitAsync(duration)).ShouldBeFalse("a renews, which b sees before the lease could have ended");
        (a.CheckLease(), b.CheckLease()).ShouldBe((true, false));
    }

    [Fact]
    public async Task A_holder_should_keep_it_for_as_long_as_it_renews()
    {
        var a = Lease("a", memory);
        await a.Acquire();
        await Task.Delay(duration * 1.5);
        a.CheckLease().ShouldBeTrue();
        memory.Holder("downing").ShouldBe("a");
    }

    [Fact]
    public async Task A_released_lease_should_fall_to_the_next_one_at_once()
    {
        PostgresLease a = Lease("a", memory), b = Lease("b", memory);
        await a.Acquire();
        (await a.Release()).ShouldBeTrue();
        a.CheckLease().ShouldBeFalse();
        (await b.Acquire().WaitAsync(interval * 3)).ShouldBeTrue();
        (await a.Release()).ShouldBeTrue("there is nothing left to release");
        b.CheckLease().ShouldBeTrue();
    }

    /// <summary>Seen in a simulation of two failures in a row: a no at once ended the last node that was left.</summary>
    [Fact]
    public async Task The_lease_of_a_dead_holder_should_be_waited_for()
    {
        await memory.AcquireAsync("downing", "dead", duration, default);
        (await Lease("b", memory).Acquire().WaitAsync(duration * 2)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_frozen_holder_should_not_believe_in_its_lease_any_more()
    {
        var gate = new GatedLeases(memory);
        PostgresLease frozen = Lease("a", gate), b = Lease("b", memory);
        int lost = 0;
        (await frozen.Acquire(_ => Interlocked.Increment(ref lost))).ShouldBeTrue();
        gate.Close();
        // At no time do both believe.
        var taking = b.Acquire();
        while (!taking.IsCompleted)
        {
            (frozen.CheckLease() && b.CheckLease()).ShouldBeFalse();
            await Task.Delay(5);
        }
        (await taking).ShouldBeTrue();
        frozen.CheckLease().ShouldBeFalse();
        gate.Open();
        await UntilAsync(() => Volatile.Read(ref lost) == 1);
        await Task.Delay(interval * 4);
        (lost, b.CheckLease(), memory.Holder("downing")).ShouldBe((1, true, "b"));
    }

    [Fact]
    public async Task A_store_that_is_away_for_a_moment_should_do_no_harm()
    {
        var a = Lease("a", memory);
        bool lost = false;
        await a.Acquire(_ => lost = true);
        memory.IsAway = true;
        await Task.Delay(duration / 3);
        memory.IsAway = false;
        await Task.Delay(duration);
        (lost, a.CheckLease()).ShouldBe((false, true));
    }

    [Fact]
    public async Task A_store_that_stays_away_should_end_the_lease_and_refuse_a_new_one()
    {
        var a = Lease("a", memory);
        var lost = new TaskCompletionSource<Exception?>();
        await a.Acquire(lost.SetResult);
        memory.IsAway = true;
        (await lost.Task.WaitAsync(duration * 3)).ShouldBeOfType<IOException>();
        a.CheckLease().ShouldBeFalse();
        await Should.ThrowAsync<IOException>(() => a.Acquire());
    }

    [Fact]
    public async Task A_question_without_an_answer_should_end_in_time()
    {
        var gate = new GatedLeases(memory);
        gate.Close();
        await Should.ThrowAsync<LeaseTimeoutException>(() => Lease("a", gate).Acquire().WaitAsync(TimeSpan.FromSeconds(5)));
    }

    /// <summary>With PostgreSQL itself, whose clock alone counts: the two nodes are years apart.</summary>
    [Fact]
    public async Task Clocks_of_nodes_should_not_matter()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var store = new LeaseStore(new PostgresConnector(new PostgresConnectionOptions { Hosts = [new(server.Host, server.Port)] }));
        await store.EnsureAsync(CancellationToken.None);
        PostgresLease past = Lease("a", store, new WrongClock(-3)), future = Lease("b", store, new WrongClock(3));
        (await past.Acquire()).ShouldBeTrue();
        (await future.Acquire()).ShouldBeFalse();
        past.CheckLease().ShouldBeTrue();
        await past.Release();
        (await future.Acquire()).ShouldBeTrue();
        (await past.Acquire()).ShouldBeFalse();
        await Task.Delay(duration * 1.2);
        (past.CheckLease(), future.CheckLease()).ShouldBe((false, true));
    }

    sealed class WrongClock(int years) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddYears(years);
    }

    /// <summary>Lets questions wait.</summary>
    sealed class GatedLeases(ILeaseStore inner) : ILeaseStore
    {
        volatile TaskCompletionSource open = Opened();

        static TaskCompletionSource Opened()
        {
            var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            source.SetResult();
            return source;
        }

        public void Close() => open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        public void Open() => open.TrySetResult();

        public async ValueTask<LeaseRecord> AcquireAsync(string name, string owner, TimeSpan duration, CancellationToken cancellationToken)
        {
            await open.Task;
            return await inner.AcquireAsync(name, owner, duration, cancellationToken);
        }

        public async ValueTask<bool> RenewAsync(string name, long fence, TimeSpan duration, CancellationToken cancellationToken)
        {
            await open.Task;
            return await inner.RenewAsync(name, fence, duration, cancellationToken);
        }

        public ValueTask ReleaseAsync(string name, long fence, CancellationToken cancellationToken) => inner.ReleaseAsync(name, fence, cancellationToken);
        public ValueTask<LeaseRecord?> ReadAsync(string name, CancellationToken cancellationToken) => inner.ReadAsync(name, cancellationToken);
    }
}

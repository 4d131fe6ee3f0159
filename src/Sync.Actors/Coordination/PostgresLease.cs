using Akka.Actor;
using Akka.Configuration;
using Akka.Coordination;
using Akka.Event;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Coordination;

/// <summary>
/// A lease that Akka.NET's split brain resolver asks for: the part of a cut cluster that gets it goes on. Kept in an <see cref="ILeaseStore"/>, which in
/// production is a row in PostgreSQL; a part that can't reach PostgreSQL could not work anyway.
/// <list type="number">
/// <item>Taken, it is renewed every heartbeat interval. It counts as held until the heartbeat time-out after the <i>question</i> of the last renewal was sent, by the clock of
/// this process that never jumps: the store counts from the answer's side, so a node stops believing before the store lets another one have it. A node that was frozen
/// finds its belief over when it wakes up.</item>
/// <item>Asked for while another node holds it, the answer is no as soon as that node is seen to renew. If it is not, it has died with the lease, perhaps a moment ago in the
/// same failure: then this waits until the store lets the lease go. A no at once would end the whole cluster after two failures in a row.</item>
/// <item>A renewal that finds another holder, or none in time, means that the lease is lost: the callback is told once.</item>
/// </list>
/// </summary>
/// <remarks>Akka.NET finds the class by its name in the configuration and makes it with these parameters.</remarks>
public sealed class PostgresLease : Lease
{
    readonly ILeaseStore store;
    readonly TimeProvider time;
    readonly ILoggingAdapter log;
    readonly CancellationToken terminated;
    readonly SemaphoreSlim turn = new(1);
    Holding? holding;

    /// <summary>A lease that is held: its number, until when that is sure, and what ends its renewal.</summary>
    sealed record Holding(long Fence, long UntilTimestamp, Action<Exception?>? OnLost, CancellationTokenSource Renewal);

    public PostgresLease(LeaseSettings settings, ExtendedActorSystem system)
        : this(settings, StoreOf(system), TimeProvider.System, Logging.GetLogger(system, typeof(PostgresLease)), Ends(system))
    {
    }

    internal PostgresLease(LeaseSettings settings, ILeaseStore store, TimeProvider time, ILoggingAdapter log, CancellationToken terminated) : base(settings)
    {
        this.store = store;
        this.time = time;
        this.log = log;
        this.terminated = terminated;
    }

    TimeSpan Duration => Settings.TimeoutSettings.HeartbeatTimeout;
    TimeSpan Interval => Settings.TimeoutSettings.HeartbeatInterval;

    public override Task<bool> Acquire() => Acquire(null!);

    public override async Task<bool> Acquire(Action<Exception> leaseLostCallback)
    {
        await turn.WaitAsync(terminated);
        try
        {
            LeaseRecord? before = null;
            var deadline = time.GetTimestamp() + Ticks(Duration * 2);
            var patience = Interval * 2.5;
            for (long seen = time.GetTimestamp(); ;)
            {
                long asked = time.GetTimestamp();
                var now = await AskAsync(ct => store.AcquireAsync(Settings.LeaseName, Settings.OwnerName, Duration, ct));
                if (now.Owner == Settings.OwnerName)
                {
                    Hold(now.Fence, asked, leaseLostCallback!);
                    return true;
                }
                bool alive = before is not null && (before.Fence, before.Renewals) != (now.Fence, now.Renewals);
                if (alive || time.GetTimestamp() >= deadline) return false;
                if (before is null) log.Info("{0} has the lease {1}; waiting to see whether it lives", now.Owner, Settings.LeaseName);
                before ??= now;
                // Whoever lives renews within an interval; later on only the end of the lease is of interest.
                bool silent = time.GetElapsedTime(seen) > patience;
                await Task.Delay(silent && now.Left > Interval ? Interval : Interval / 4, time, terminated);
            }
        }
        finally
        {
            turn.Release();
        }
    }

    public override async Task<bool> Release()
    {
        await turn.WaitAsync(terminated);
        try
        {
            if (Interlocked.Exchange(ref holding, null) is not { } held) return true;
            await held.Renewal.CancelAsync();
            await AskAsync(async ct =>
            {
                await store.ReleaseAsync(Settings.LeaseName, held.Fence, ct);
                return true;
            });
            return true;
        }
        finally
        {
            turn.Release();
        }
    }

    public override bool CheckLease() => Volatile.Read(ref holding) is { } held && time.GetTimestamp() < held.UntilTimestamp;

    void Hold(long fence, long asked, Action<Exception?>? onLost)
    {
        var renewal = CancellationTokenSource.CreateLinkedTokenSource(terminated);
        var before = Interlocked.Exchange(ref holding, new Holding(fence, asked + Ticks(Duration), onLost, renewal));
        before?.Renewal.Cancel();
        _ = RenewAsync(renewal.Token);
    }

    async Task RenewAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await Task.Delay(Interval, time, stop);
                if (Volatile.Read(ref holding) is not { } held) return;
                long asked = time.GetTimestamp();
                Exception? error = null;
                bool? still = null;
                try
                {
                    still = await AskAsync(ct => store.RenewAsync(Settings.LeaseName, held.Fence, Duration, ct));
                }
                catch (Exception e) when (!stop.IsCancellationRequested)
                {
                    error = e;
                }
                if (still is true)
                    Interlocked.CompareExchange(ref holding, held with { UntilTimestamp = asked + Ticks(Duration) }, held);
                else if (still is false || time.GetTimestamp() >= held.UntilTimestamp)
                {
                    Lose(held, error);
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Released, taken anew, or the system ends.
        }
    }

    void Lose(Holding held, Exception? error)
    {
        if (Interlocked.CompareExchange(ref holding, null, held) != held) return;
        log.Warning("The lease {0} is lost: {1}", Settings.LeaseName, error?.Message ?? "another node has it");
        held.OnLost?.Invoke(error);
    }

    async Task<T> AskAsync<T>(Func<CancellationToken, ValueTask<T>> question)
    {
        using var limit = new CancellationTokenSource(Settings.TimeoutSettings.OperationTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, terminated);
        try
        {
            return await question(either.Token).AsTask().WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !terminated.IsCancellationRequested)
        {
            throw new LeaseTimeoutException($"The lease {Settings.LeaseName} got no answer within {Settings.TimeoutSettings.OperationTimeout.TotalSeconds:0.#} s.");
        }
    }

    long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);

    static ILeaseStore StoreOf(ExtendedActorSystem system)
    {
        var setup = system.Settings.Setup.Get<LeaseSetup>();
        return setup.HasValue ? setup.Value.Store : throw new ConfigurationException($"{nameof(PostgresLease)} needs a {nameof(LeaseSetup)}.");
    }

    static CancellationToken Ends(ExtendedActorSystem system)
    {
        var source = new CancellationTokenSource();
        system.RegisterOnTermination(source.Cancel);
        return source.Token;
    }
}

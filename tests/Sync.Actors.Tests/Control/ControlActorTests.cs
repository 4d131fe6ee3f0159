using System.Collections.Concurrent;
using Akka.Hosting;
using Microsoft.Extensions.Hosting;
using Sync.Actors.Control;
using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;
using Sync.Testing;

namespace Sync.Actors.Tests.Control;

/// <summary>The control actor with its journal in a real PostgreSQL; an actor system each for the node that dies and its successor.</summary>
public sealed class ControlActorTests : IAsyncLifetime
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);
    readonly List<IHost> hosts = [];
    PostgresServer server = null!;

    public async Task InitializeAsync()
    {
        server = await PostgresServer.StartAsync();
        await using var store = new LeaseStore(new PostgresConnector(new PostgresConnectionOptions { Hosts = [new(server.Host, server.Port)] }));
        await store.EnsureAsync(CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        foreach (var host in hosts)
        {
            await host.StopAsync();
            host.Dispose();
        }
        await server.DisposeAsync();
    }

    async Task<(IHost Host, IActorRef Actor)> StartAsync(IControlExecutor executor)
    {
        IActorRef? actor = null;
        var settings = new ControlSettings
        {
            Slot = "shop",
            ConnectionString = server.ConnectionString(),
            Executor = (_, _) => executor,
            MinBackoff = TimeSpan.FromMilliseconds(200),
            Leisure = TimeSpan.FromMilliseconds(500),
        };
        var host = new HostBuilder().ConfigureServices(services => services.AddAkka("control", builder => builder
            .ConfigureLoggers(loggers => loggers.ClearLoggers())
            .AddActorSyncJournal(settings.ConnectionString, settings.Schema)
            .WithActors((system, registry) => actor = system.ActorOf(ControlHosting.Props(settings, system, registry), "control")))).Build();
        hosts.Add(host);
        await host.StartAsync();
        return (host, actor!);
    }

    static OperatorCommand Command(string id, string argument = "orders") => new(id, "resync", argument, "alice");

    [Fact]
    public async Task A_command_should_be_carried_out_once_and_its_outcome_kept()
    {
        var executor = new Executor();
        var (_, actor) = await StartAsync(executor);
        var outcome = await actor.Ask<OperatorOutcome>(Command("1"), patience);
        (outcome.Stage, outcome.Message).ShouldBe((OperatorStage.Done, "orders done"));
        (await actor.Ask<OperatorOutcome>(Command("1"), patience)).ShouldBe(outcome);
        executor.Begun.ShouldBe(["1"]);
        (await server.ScalarAsync<long>("select count(*) from actorsync.journal")).ShouldBe(2);
    }

    [Fact]
    public async Task What_fails_should_say_why_and_what_is_unknown_be_refused()
    {
        var (_, actor) = await StartAsync(new Executor());
        (await actor.Ask<OperatorOutcome>(Command("1", "fail"), patience)).ShouldSatisfyAllConditions(o => o.Stage.ShouldBe(OperatorStage.Failed), o => o.Message.ShouldBe("it went wrong"));
        (await actor.Ask<OperatorOutcome>(new OperatorCommand("2", "dance", "", "alice"), patience)).Stage.ShouldBe(OperatorStage.Refused);
        (await actor.Ask<OperatorOutcomes>(new OperatorOutcomesRequest("q"), patience)).Outcomes.Select(o => o.Id).ShouldBe(["1"]);
    }

    [Fact]
    public async Task A_successor_should_go_on_with_what_was_accepted()
    {
        var first = new Executor();
        var (host, actor) = await StartAsync(first);
        await actor.Ask<OperatorOutcome>(Command("done"), patience);
        var key = System.Text.Encoding.UTF8.GetBytes("orders:7");
        actor.Tell(Command("waits", "block"));
        actor.Tell(new DeadLetterDecision("letters", 5, key, DeadLetterAction.Drop, false, ["block"], "bob", 0));
        await first.UntilBegunAsync("done", "waits", "letters");
        await host.StopAsync();

        var second = new Executor();
        second.Unblock();
        var (_, successor) = await StartAsync(second);
        (await successor.Ask<OperatorOutcome>(Command("waits", "block"), patience)).Stage.ShouldBe(OperatorStage.Done);
        await second.UntilBegunAsync("waits", "letters");
        second.Begun.ShouldNotContain("done");
        var decision = second.Decisions.ShouldHaveSingleItem();
        (decision.Lane, decision.Action, decision.By).ShouldBe((5, DeadLetterAction.Drop, "bob"));
        decision.Key.ToArray().ShouldBe(key);
    }

    [Fact]
    public async Task A_long_journal_should_be_summed_up()
    {
        var (host, actor) = await StartAsync(new Executor());
        for (int i = 0; i < 120; i++) (await actor.Ask<OperatorOutcome>(Command($"{i}"), patience)).Stage.ShouldBe(OperatorStage.Done);
        for (int i = 0; await server.ScalarAsync<long>("select count(*) from actorsync.journal where not deleted") > 100; i++)
        {
            i.ShouldBeLessThan(200);
            await Task.Delay(50);
        }
        await host.StopAsync();
        var second = new Executor();
        var (_, successor) = await StartAsync(second);
        (await successor.Ask<OperatorOutcomes>(new OperatorOutcomesRequest("q"), patience)).Outcomes.Count.ShouldBe(120);
        (await successor.Ask<OperatorOutcome>(Command("0"), patience)).Stage.ShouldBe(OperatorStage.Done);
        second.Begun.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_actor_should_come_back_when_PostgreSQL_does()
    {
        var (_, actor) = await StartAsync(new Executor());
        await actor.Ask<OperatorOutcome>(Command("1"), patience);
        await server.StopAsync();
        await Should.ThrowAsync<AskTimeoutException>(() => actor.Ask<OperatorOutcome>(Command("2"), TimeSpan.FromSeconds(3)));
        await server.StartAgainAsync();
        OperatorOutcome? outcome = null;
        for (int i = 0; outcome is null; i++)
        {
            i.ShouldBeLessThan(20);
            try { outcome = await actor.Ask<OperatorOutcome>(Command("2"), TimeSpan.FromSeconds(2)); }
            catch (AskTimeoutException) { /* not back yet */ }
        }
        outcome.Stage.ShouldBe(OperatorStage.Done);
    }

    /// <summary>Does nothing, notes it, and blocks on what is called so.</summary>
    sealed class Executor : IControlExecutor
    {
        readonly TaskCompletionSource unblocked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        readonly ConcurrentQueue<string> begun = [];
        readonly ConcurrentQueue<DeadLetterDecision> decisions = [];

        public IReadOnlySet<string> Verbs { get; } = new HashSet<string> { "resync" };
        public IReadOnlyCollection<string> Begun => begun;
        public IReadOnlyCollection<DeadLetterDecision> Decisions => decisions;

        public void Unblock() => unblocked.SetResult();

        public async Task UntilBegunAsync(params string[] ids)
        {
            for (int i = 0; ids.Except(begun).Any(); i++)
            {
                i.ShouldBeLessThan(500);
                await Task.Delay(20);
            }
        }

        public async Task<ControlResult> ExecuteAsync(ControlOrder order, CancellationToken stop)
        {
            begun.Enqueue(order.Outcome.Id);
            if (order.Decision is { } decision) decisions.Enqueue(decision);
            if (order.Outcome.Argument == "fail") throw new InvalidOperationException("it went wrong");
            if (order.Outcome.Argument == "block" || order.Decision is { Ids: ["block"] }) await unblocked.Task.WaitAsync(stop);
            return new ControlResult(true, $"{order.Outcome.Argument} done");
        }
    }
}

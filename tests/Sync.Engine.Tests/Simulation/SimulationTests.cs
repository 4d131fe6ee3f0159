using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace Sync.Engine.Tests.Simulation;

/// <summary>
/// The real core between a simulated PostgreSQL and a simulated Redis, in thousands of schedules drawn from seeds. Environment variables:
/// <c>ACTORSYNC_SIMULATION_SEED=n</c> runs the schedule of one seed and prints all it did; <c>ACTORSYNC_SIMULATION_FROM=n</c> begins with another seed than 1;
/// <c>ACTORSYNC_SIMULATION_RUNS=n</c> runs another number of schedules than 10,000.
/// </summary>
[Trait("Speed", "Slow")]
public class SimulationTests(ITestOutputHelper output)
{
    internal static int Number(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable($"ACTORSYNC_SIMULATION_{name}"), CultureInfo.InvariantCulture, out int number) ? number : otherwise;

    [Fact]
    public void Every_change_should_be_applied_once_and_in_order_in_every_schedule()
    {
        int only = Number("SEED", 0), from = only != 0 ? only : Number("FROM", 1), runs = only != 0 ? 1 : Number("RUNS", 10_000);
        var watch = Stopwatch.StartNew();
        long steps = 0, applied = 0, forgotten = 0;
        for (int seed = from; seed < from + runs; seed++)
        {
            var scenario = Scenario.Of(seed);
            var result = World.Run(scenario, tracing: only != 0);
            if (only != 0) output.WriteLine(scenario.Describe() + result.Trace);
            (steps, applied, forgotten) = (steps + result.Steps, applied + result.Applied, forgotten + result.Forgotten);
            if (result.Violation is { } violation) Assert.Fail($"Seed {seed}: {violation}. The smallest that fails:\n{Explain(Small(scenario, Mutation.None), Mutation.None)}");
        }
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"seeds {from} to {from + runs - 1}: {steps} steps, {applied} changes applied, {forgotten} refused in a flight whose node died before it could park them, {watch.Elapsed.TotalSeconds:0.0} s"));
        if (only == 0) applied.ShouldBeGreaterThan(10L * runs, "schedules in which nothing happens prove nothing");
        forgotten.ShouldBeLessThan(1 + (applied / 500));
    }

    [Theory]
    [InlineData(Mutation.ProgressBeforeData)]
    [InlineData(Mutation.NoFence)]
    [InlineData(Mutation.RepeatWithoutAsking)]
    [InlineData(Mutation.OldConnectionLives)]
    [InlineData(Mutation.NoFolding)]
    [InlineData(Mutation.ConfirmsWhatWasRead)]
    [InlineData(Mutation.ForgetsParkedKeys)]
    [InlineData(Mutation.MovesWithoutWaiting)]
    internal void Simulation_should_see_a_mistake_that_was_built_in(Mutation mutation)
    {
        int seed = Enumerable.Range(1, 3000).FirstOrDefault(candidate => World.Run(Scenario.Of(candidate), mutation).Violation is not null);
        seed.ShouldNotBe(0, "no schedule shows it");
        var small = Small(Scenario.Of(seed), mutation);
        string explained = Explain(small, mutation);
        output.WriteLine($"Found with seed {seed}:\n{explained}");
        small.Transactions.Sum(t => t.Length).ShouldBeLessThanOrEqualTo(8);
        small.Faults.Count.ShouldBeLessThanOrEqualTo(3);
        explained.Split('\n').Length.ShouldBeLessThan(90);
    }

    [Fact]
    public void The_same_seed_should_give_the_same_run()
    {
        for (int seed = 1; seed <= 50; seed++) World.Run(Scenario.Of(seed), tracing: true).ShouldBe(World.Run(Scenario.Of(seed), tracing: true));
    }

    static Scenario Small(Scenario failing, Mutation mutation) => Shrinker.Shrink(failing, candidate => World.Run(candidate, mutation).Violation is not null);

    static string Explain(Scenario scenario, Mutation mutation) => scenario.Describe() + World.Run(scenario, mutation, tracing: true).Trace;
}

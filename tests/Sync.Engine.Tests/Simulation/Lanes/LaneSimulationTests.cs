using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace Sync.Engine.Tests.Simulation.Lanes;

/// <summary>
/// The types between reader and lanes, in thousands of schedules drawn from seeds: a reader, several nodes, a Redis that fences, and a region that loses,
/// doubles, delays and misroutes. The environment variables are those of <see cref="SimulationTests"/>.
/// </summary>
[Trait("Speed", "Slow")]
public class LaneSimulationTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_row_should_be_applied_once_and_in_order_in_every_schedule()
    {
        int only = SimulationTests.Number("SEED", 0), from = only != 0 ? only : SimulationTests.Number("FROM", 1);
        int runs = only != 0 ? 1 : SimulationTests.Number("RUNS", 10_000);
        var watch = Stopwatch.StartNew();
        long steps = 0, applied = 0, parked = 0, claims = 0, messages = 0;
        for (int seed = from; seed < from + runs; seed++)
        {
            var scenario = LaneScenario.Of(seed);
            var result = LaneWorld.Run(scenario, tracing: only != 0);
            if (only != 0) output.WriteLine(scenario.Describe() + result.Trace);
            (steps, applied, parked) = (steps + result.Steps, applied + result.Applied, parked + result.Parked);
            (claims, messages) = (claims + result.Claims, messages + result.Messages);
            if (result.Violation is { } violation)
                Assert.Fail($"Seed {seed}: {violation}. The smallest that fails:\n{Explain(Small(scenario, LaneMutation.None), LaneMutation.None)}");
        }
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"seeds {from} to {from + runs - 1}: {steps} steps, {messages} messages, {claims} takeovers, {applied} changes applied, {parked} parked, {watch.Elapsed.TotalSeconds:0.0} s"));
        if (only != 0) return;
        applied.ShouldBeGreaterThan(8L * runs, "schedules in which nothing happens prove nothing");
        claims.ShouldBeGreaterThan(3L * runs, "lanes have to move");
    }

    public static IEnumerable<object[]> Mistakes => Enum.GetValues<LaneMutation>().Where(mutation => mutation != LaneMutation.None).Select(mutation => new object[] { mutation });

    [Theory]
    [MemberData(nameof(Mistakes))]
    internal void Simulation_should_see_a_mistake_that_was_built_in(LaneMutation mutation)
    {
        int seed = Enumerable.Range(1, 5000).FirstOrDefault(candidate => Fails(LaneScenario.Of(candidate), mutation));
        seed.ShouldNotBe(0, "no schedule shows it");
        var small = Small(LaneScenario.Of(seed), mutation);
        output.WriteLine($"Found with seed {seed}:\n{Explain(small, mutation)}");
        small.Transactions.Sum(t => t.Length).ShouldBeLessThanOrEqualTo(12);
        small.Faults.Count.ShouldBeLessThanOrEqualTo(4);
    }

    [Fact]
    public void The_same_seed_should_give_the_same_run()
    {
        for (int seed = 1; seed <= 50; seed++)
            LaneWorld.Run(LaneScenario.Of(seed), tracing: true).ShouldBe(LaneWorld.Run(LaneScenario.Of(seed), tracing: true));
    }

    static bool Fails(LaneScenario scenario, LaneMutation mutation) => LaneWorld.Run(scenario, mutation).Violation is not null;

    static LaneScenario Small(LaneScenario failing, LaneMutation mutation) => Shrinker.Shrink(failing, candidate => Fails(candidate, mutation));

    static string Explain(LaneScenario scenario, LaneMutation mutation) => scenario.Describe() + LaneWorld.Run(scenario, mutation, tracing: true).Trace;
}

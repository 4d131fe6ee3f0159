using Sync.Contracts.Configuration;
using Sync.Engine.Retry;

namespace Sync.Engine.Tests.Retry;

public class BackoffTests
{
    static readonly RetryOptions Options = new() { InitialBackoff = TimeSpan.FromMilliseconds(100), MaxBackoff = TimeSpan.FromSeconds(1), Multiplier = 2, Jitter = 0.5 };

    [Theory]
    [InlineData(1, 0, 100)]
    [InlineData(2, 0, 200)]
    [InlineData(3, 0, 400)]
    [InlineData(3, 1, 200)]
    [InlineData(9, 0, 1000)]
    [InlineData(int.MaxValue, 0, 1000)]
    public void Delay_should_grow_to_its_bound_less_the_jitter(int attempt, double chance, double expectedMs) =>
        Backoff.Delay(Options, attempt, chance).TotalMilliseconds.ShouldBe(expectedMs);

    [Fact]
    public void Multiplier_of_one_should_grow_with_the_attempt() =>
        Backoff.Delay(Options with { Multiplier = 1 }, 4, 0).TotalMilliseconds.ShouldBe(400);
}

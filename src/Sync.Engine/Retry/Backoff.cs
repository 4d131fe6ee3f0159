using Sync.Contracts.Configuration;

namespace Sync.Engine.Retry;

/// <summary>How long to wait before another attempt. Pure: the caller brings the chance.</summary>
public static class Backoff
{
    /// <summary>
    /// initialBackoff × multiplier^(attempt−1), or initialBackoff × attempt when the multiplier is 1, at most maxBackoff; then a share of
    /// <c>jitter</c> of it is taken off at random.
    /// </summary>
    /// <param name="options">Checked values.</param>
    /// <param name="attempt">The attempt that failed, from 1.</param>
    /// <param name="chance">0 to 1, uniformly drawn.</param>
    public static TimeSpan Delay(RetryOptions options, int attempt, double chance)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(attempt, 1);
        double factor = options.Multiplier <= 1 ? attempt : Math.Pow(options.Multiplier, attempt - 1);
        double ms = Math.Min(options.InitialBackoff.TotalMilliseconds * factor, options.MaxBackoff.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(Math.Max(1, ms * (1 - options.Jitter * chance)));
    }
}

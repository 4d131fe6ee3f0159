using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Configuration;

namespace Sync.Contracts.Tests.Configuration;

public class DurationTextTests
{
    static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("2s", 2_000)]
    [InlineData("1m", 60_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("1m30s", 90_000)]
    [InlineData("1h2m3s4ms", 3_723_004)]
    [InlineData("0.5s", 500)]
    [InlineData(".5s", 500)]
    [InlineData("1.5h", 5_400_000)]
    [InlineData(" 2s ", 2_000)]
    [InlineData("3", 3_000)]
    [InlineData("0.25", 250)]
    [InlineData("0", 0)]
    public void Durations_should_read(string text, double milliseconds)
    {
        DurationText.TryParse(text, Second, out var value).ShouldBeTrue();
        value.ShouldBe(TimeSpan.FromMilliseconds(milliseconds));
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("+1s")]
    [InlineData("1 s")]
    [InlineData("1d")]
    [InlineData("1S")]
    [InlineData("1s2")]
    [InlineData("1.2.3s")]
    [InlineData("1e3s")]
    [InlineData("99999999999999h")]
    [InlineData("99999999999999999999999999999999s")]
    [InlineData("NaN")]
    public void Durations_should_refuse_other_text(string text) => DurationText.TryParse(text, Second, out _).ShouldBeFalse();

    [Fact]
    public void Durations_should_take_the_unit_of_their_key()
    {
        DurationText.TryParse("250", TimeSpan.FromMilliseconds(1), out var value).ShouldBeTrue();
        value.ShouldBe(TimeSpan.FromMilliseconds(250));
    }

    [Fact]
    public void Durations_should_round_trip() =>
        Prop.ForAll<long>(ticks =>
        {
            foreach (long scale in (long[])[1, TimeSpan.TicksPerMillisecond, TimeSpan.TicksPerSecond, TimeSpan.TicksPerMinute, 7 * TimeSpan.TicksPerHour])
            {
                var value = TimeSpan.FromTicks(Math.Abs(ticks % 1_000_000) * scale);
                DurationText.TryParse(DurationText.Format(value), Second, out var read).ShouldBeTrue();
                read.ShouldBe(value);
            }
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(0, "0s")]
    [InlineData(500, "500ms")]
    [InlineData(90_000, "1m30s")]
    [InlineData(86_400_000, "24h")]
    [InlineData(0.5, "0.5ms")]
    public void Durations_should_write_briefly(double milliseconds, string text) =>
        DurationText.Format(TimeSpan.FromMilliseconds(milliseconds)).ShouldBe(text);
}

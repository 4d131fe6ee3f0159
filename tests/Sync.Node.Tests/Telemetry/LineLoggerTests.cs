using Microsoft.Extensions.Logging;
using Sync.Node.Telemetry;

namespace Sync.Node.Tests.Telemetry;

public sealed class LineLoggerTests
{
    readonly StringWriter output = new() { NewLine = "\n" };

    LineLogger Logger(LogLevel minimum = LogLevel.Information, bool colours = false) => new(output, minimum, colours, new Noon());

    [Fact]
    public void Line_should_begin_with_utc_time_and_level()
    {
        Logger().LogInformation("streaming slot {Slot}", "shop");
        Logger().LogWarning("careful");
        Logger().LogError("broken");
        output.ToString().ShouldBe("""
            2026-01-31T12:00:00.123Z info  streaming slot shop
            2026-01-31T12:00:00.123Z warn  careful
            2026-01-31T12:00:00.123Z error broken

            """);
    }

    [Fact]
    public void Event_should_be_one_line_whatever_its_values_contain()
    {
        Logger().LogInformation("table {Table}", "a\nb\r\t\e[31m");
        output.ToString().ShouldBe("2026-01-31T12:00:00.123Z info  table a\\nb\\r\\t\\u001b[31m\n");
    }

    [Fact]
    public void Debug_should_be_silent_unless_asked_for()
    {
        Logger().LogDebug("decision");
        output.ToString().ShouldBeEmpty();
        Logger(LogLevel.Debug).LogDebug("decision");
        output.ToString().ShouldContain("debug decision");
    }

    [Fact]
    public void Exception_should_show_its_message_and_only_in_debug_its_stack()
    {
        Logger().LogError(new InvalidOperationException("no luck"), "failed");
        output.ToString().ShouldBe("2026-01-31T12:00:00.123Z error failed (no luck)\n");
        Logger(LogLevel.Debug).LogError(new InvalidOperationException("no luck"), "failed");
        output.ToString().ShouldContain("System.InvalidOperationException: no luck");
    }

    [Fact]
    public void Muted_events_should_not_be_written()
    {
        var logger = new LineLogger(output, LogLevel.Information, colours: false, new Noon()) { Muted = new HashSet<string> { "Copying" } };
        logger.Log(LogLevel.Information, new EventId(1, "Copying"), "43 %", null, (state, _) => state);
        logger.Log(LogLevel.Information, new EventId(2, "Copied"), "done", null, (state, _) => state);
        output.ToString().ShouldBe("2026-01-31T12:00:00.123Z info  done\n");
    }

    [Fact]
    public void Sticky_line_should_stay_below_the_log_and_go_away()
    {
        var logger = Logger();
        logger.Stick("43 %");
        logger.LogInformation("event");
        logger.Stick("");
        output.ToString().ShouldBe("43 %\r\e[2K2026-01-31T12:00:00.123Z info  event\n43 %\r\e[2K");
    }

    [Fact]
    public void Colours_should_only_be_where_they_are_wanted()
    {
        Logger(colours: true).LogError("broken");
        output.ToString().ShouldContain("\e[31merror\e[0m broken");
    }

    sealed class Noon : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 31, 12, 0, 0, 123, TimeSpan.Zero);
    }
}

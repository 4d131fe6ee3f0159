using Sync.Contracts;
using Sync.Node.Commands;
using Sync.Redis.Errors;

namespace Sync.Node.Tests.Commands;

/// <summary>How ends that are hard to bring about look.</summary>
public sealed class CommandLineTests
{
    readonly StringWriter error = new() { NewLine = "\n" };

    [Fact]
    public void Defect_should_be_one_sentence_and_code_70()
    {
        CommandLine.Report(Thrown(new InvalidOperationException("out of\nluck")), Session()).ShouldBe((int)ExitCode.Internal);
        error.ToString().ShouldStartWith("actorsync: unexpected failure, a defect of this program: out of\\nluck (set ACTORSYNC_DEBUG=true");
        error.ToString().TrimEnd('\n').ShouldNotContain("\n");
    }

    [Theory]
    [InlineData("ACTORSYNC_DEBUG", "true")]
    [InlineData("PG2REDIS_DEBUG", "Yes")]
    public void Stack_should_be_shown_in_debug_mode(string variable, string value)
    {
        CommandLine.Report(Thrown(new InvalidOperationException("out of luck")), Session((variable, value)));
        error.ToString().ShouldContain($"   at {typeof(CommandLineTests).FullName}.{nameof(Thrown)}");
    }

    [Fact]
    public void Several_errors_should_be_a_line_each_and_none_twice()
    {
        CommandLine.Report(new SyncException(ExitCode.Configuration, "a.yaml:1:1: one\na.yaml:2:1: two\na.yaml:1:1: one"), Session()).ShouldBe(3);
        error.ToString().ShouldBe("actorsync: a.yaml:1:1: one\nactorsync: a.yaml:2:1: two\n");
    }

    [Fact]
    public void Redis_that_passes_by_should_have_its_code() =>
        CommandLine.Report(new RedisTransientException("Redis at a:1 can't be reached.", outcomeUnknown: false), Session()).ShouldBe((int)ExitCode.RedisUnreachable);

    [Fact]
    public void Interruption_should_end_as_shells_expect() => CommandLine.Report(new OperationCanceledException(), Session()).ShouldBe(130);

    CommandSession Session(params (string Name, string Value)[] environment) =>
        new(environment.ToDictionary(v => v.Name, v => v.Value), "/", TextWriter.Null, error);

    static Exception Thrown(Exception exception)
    {
        try { throw exception; }
        catch (Exception e) { return e; }
    }
}

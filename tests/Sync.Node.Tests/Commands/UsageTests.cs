using Sync.Contracts;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

public sealed class UsageTests : IDisposable
{
    readonly Sandbox folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("run", "actorsync run")]
    [InlineData("snapshot", "--table public.orders")]
    [InlineData("validate", "--connect --strict")]
    [InlineData("init", "PGPASSWORD=")]
    [InlineData("status", "jq .lagMs")]
    [InlineData("dlq", "actorsync dlq retry --key")]
    [InlineData("verify", "actorsync verify --repair")]
    [InlineData("demo", "--check --seconds")]
    [InlineData("version", "actorsync version")]
    public async Task Help_should_teach_by_example(string command, string example)
    {
        var ended = await Program.RunAsync(folder, command, "--help");
        ended.Code.ShouldBe(0);
        ended.Out.ShouldContain("Examples:");
        ended.Out[ended.Out.IndexOf("Examples:", StringComparison.Ordinal)..].ShouldContain(example);
    }

    [Theory]
    [InlineData("--nope", "run", "--nope")]
    [InlineData("'fly'", "fly")]
    [InlineData("Required command", "dlq")]
    [InlineData("--limit", "dlq", "list", "--limit", "many")]
    [InlineData("--table", "snapshot", "--table")]
    public async Task Usage_errors_should_name_what_is_wrong_and_where_help_is(string named, params string[] arguments)
    {
        var ended = await Program.RunAsync(folder, arguments);
        ended.Code.ShouldBe((int)ExitCode.Usage);
        ended.Out.ShouldBeEmpty();
        ended.Error.ShouldContain(named);
        ended.Error.ShouldContain("--help");
        ended.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldAllBe(line => line.StartsWith("actorsync: "));
    }

    [Fact]
    public async Task No_arguments_should_show_the_help_and_be_a_usage_error()
    {
        var ended = await Program.RunAsync(folder);
        ended.Code.ShouldBe((int)ExitCode.Usage);
        ended.Out.ShouldContain("actorsync demo");
    }

    [Fact]
    public async Task Version_should_name_program_and_runtime()
    {
        var ended = await Program.RunAsync(folder, "version");
        ended.Code.ShouldBe(0);
        ended.Out.ShouldMatch(@"^actorsync \d+\.\d+\.\d+ \(\.NET 10\.");
    }

    [Theory]
    [InlineData("dlq drop", "exactly one")]
    [InlineData("dlq drop 1-0 --all --yes", "exactly one")]
    [InlineData("dlq drop --all", "--yes")]
    [InlineData("dlq retry --all --key x", "either --key or --all")]
    [InlineData("dlq list --limit 0", "--limit takes 1 to 500")]
    [InlineData("verify --rate 0", "--rate takes 1 to")]
    [InlineData("verify --examples 1001", "--examples takes 0 to 1000")]
    [InlineData("verify --table nope", "Table nope is not configured")]
    [InlineData("verify --repair", "--repair asks the running node")]
    [InlineData("demo --seconds 0", "--seconds takes 1 to 3600")]
    [InlineData("init --redis localhost:70000", "--redis must be host, host:port")]
    [InlineData("init --tables a.b.c", "a.b.c")]
    public async Task Wrong_combinations_should_be_usage_errors_in_one_sentence(string line, string expected)
    {
        File.WriteAllText(folder.File("config.yaml"), """
            postgres: { conn: { port: 1 }, repl: { pub: p, slot: s } }
            redis: { conn: { port: 1 } }
            http: { enabled: false }
            tables: [orders]
            """);
        (await Program.RunAsync(folder, line.Split(' '))).ShouldSay(ExitCode.Usage, expected);
    }
}

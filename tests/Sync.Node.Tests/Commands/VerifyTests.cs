using System.Text.Json;
using Sync.Contracts;

namespace Sync.Node.Tests.Commands;

/// <summary><c>actorsync verify</c> as a program: what it prints and how it ends.</summary>
[Collection(NodeCommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class VerifyTests(CommandServers servers)
{
    // It said "no drift".
    [Fact]
    public async Task Nothing_that_could_be_compared_should_not_pass_for_no_drift()
    {
        using var place = (await Workplace.CreateAsync(servers, "create table orders (id int primary key, note text); create table odd (id int primary key)"))
            .Configure("- orders: { insert: { commands: [[RPUSH, log, '{id}']] } }");
        var nothing = await place.RunAsync("verify");
        nothing.Code.ShouldBe((int)ExitCode.CheckFailed, nothing.Error);
        nothing.Out.ShouldEndWith("nothing could be compared\n");
        place.Configure("- orders: { insert: { commands: [[RPUSH, log, '{id}']] } }\n- odd");
        var some = await place.RunAsync("verify");
        some.Code.ShouldBe(0, some.Error + some.Out);
        some.Out.ShouldContain("no drift in what was compared, which is not public.orders, compared at ");
        place.Configure("- odd\n- missing");
        var missing = await place.RunAsync("verify");
        missing.Code.ShouldBe((int)ExitCode.Schema, missing.Error + missing.Out);
        missing.Out.ShouldContain("not compared: Table public.missing does not exist");
    }

    [Fact]
    public async Task Verify_should_end_with_0_or_50_and_say_what_differs()
    {
        using var place = (await Workplace.CreateAsync(servers)).Configure($$"""
            - orders: { commands: [["SET", "{{Guid.NewGuid():N}}:{id}", "{note}"], ["INCR", "count"]] }
            """);
        await place.SqlAsync("insert into orders values (1, 'one'), (2, 'two words')");
        using var node = place.Start("run");
        await node.SaysAsync("streaming slot");
        var clean = await place.RunAsync("verify");
        clean.Code.ShouldBe(0, clean.Error);
        clean.Out.ShouldStartWith("public.orders  2 rows, 2 keys, 0 missing, 0 different, 0 extra, 1 command not verifiable\n");
        clean.Out.ShouldContain("  not verifiable: INCR count: its effect depends on what was there before\n");
        clean.Out.ShouldMatch(@"no drift, compared at [0-9A-F]+/[0-9A-F]+\n\z");

        string prefix = File.ReadAllText(place.Folder.File("config.yaml")).Split("\"SET\", \"")[1].Split(':')[0];
        await servers.Redis.ExecAsync("SET", $"{prefix}:2", "other\nwords");
        await servers.Redis.ExecAsync("SET", $"{prefix}:3", "x");
        var drift = await place.RunAsync("verify", "--table", "orders");
        drift.Code.ShouldBe((int)ExitCode.Drift, drift.Error);
        drift.Out.ShouldContain($"  different  {prefix}:2 (row 2): should be \"two words\", is \"other\\nwords\"\n");
        drift.Out.ShouldContain($"  extra      {prefix}:3 (row 3): no row leads to it\n");
        drift.Out.ShouldContain("\n2 keys differ, compared at ");
        var json = await place.RunAsync("verify", "--json", "--examples", "0");
        json.Code.ShouldBe((int)ExitCode.Drift);
        using var report = JsonDocument.Parse(json.Out);
        report.RootElement.GetProperty("drift").GetInt64().ShouldBe(2);
        var table = report.RootElement.GetProperty("tables")[0];
        (table.GetProperty("rows").GetInt64(), table.GetProperty("different").GetInt64(), table.GetProperty("extra").GetInt64()).ShouldBe((2, 1, 1));
        table.GetProperty("examples").GetArrayLength().ShouldBe(0);
    }
}

using System.Runtime.InteropServices;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Commands;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary>The node as a process: starting, being looked at, stopping.</summary>
[Collection(NodeCommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class RunTests(CommandServers servers)
{
    [Theory]
    [InlineData(PosixSignal.SIGTERM)]
    [InlineData(PosixSignal.SIGINT)]
    public async Task Node_should_copy_stream_answer_and_stop_when_asked_to(PosixSignal signal)
    {
        int port = Ports.Free();
        using var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key, note text); insert into orders values (1, 'copied')");
        string prefix = place.Slot;
        place.Configure($"- orders: {{ commands: [[SET, '{prefix}:{{id}}', '{{note}}']] }}", more: $"http: {{ port: {port} }}");
        using var node = place.Start("run");
        await node.SaysAsync("streaming slot");
        await place.SqlAsync("insert into orders values (2, 'streamed')");
        await HoldsAsync($"{prefix}:2", "streamed");
        await HoldsAsync($"{prefix}:1", "copied");

        var status = await place.RunAsync("status");
        status.Code.ShouldBe(0, status.Error);
        status.Out.ShouldMatch(@"state +streaming\n");
        status.Out.ShouldContain("public.orders");
        using (var json = JsonDocument.Parse((await place.RunAsync("status", "--json")).Out))
            json.RootElement.GetProperty("slot").GetString().ShouldBe(place.Slot);
        (await place.RunAsync("validate", "--connect")).Out.ShouldContain($"note: slot {place.Slot} is in use by process");

        node.Signal(signal);
        var ended = await node.EndAsync();
        ended.Code.ShouldBe(0, ended.Error + ended.Out);
        ended.Error.ShouldBeEmpty();
        ended.Out.ShouldContain($"HTTP endpoint at http://127.0.0.1:{port}");
        ended.Out.ShouldContain("stopped at ");
        ended.Out.ShouldNotContain(CommandServers.Password);
    }

    [Fact]
    public async Task Dead_letters_should_be_retried_through_the_node_that_runs()
    {
        int port = Ports.Free();
        using var place = await Workplace.CreateAsync(servers);
        string key = $"{place.Slot}:list";
        await servers.Redis.ExecAsync("SET", key, "not a list");
        place.Configure($"- orders: {{ insert: {{ commands: [[RPUSH, '{key}', '{{note}}']] }} }}", more: $"http: {{ port: {port} }}");
        using var node = place.Start("run");
        await node.SaysAsync("streaming slot");
        await place.SqlAsync("insert into orders values (7, 'late')");
        await node.SaysAsync("went to the dead letters");

        var list = await place.RunAsync("dlq", "list");
        list.Out.ShouldContain("public.orders:7");
        (await place.RunAsync("dlq", "show", list.Out.Split('\t')[0])).Out.ShouldContain($"RPUSH {key} late");
        (await place.RunAsync("dlq", "retry")).Code.ShouldBe((int)ExitCode.CheckFailed);
        await servers.Redis.ExecAsync("DEL", key);
        (await place.RunAsync("dlq", "retry", "--url", $"http://127.0.0.1:{port}", "--key", "public.orders:7")).Out.ShouldBe("1 applied, 0 keys failed again\n");
        (await servers.Redis.ExecAsync("LRANGE", key, "0", "-1")).ShouldBe(new object?[] { "late" });
        (await place.RunAsync("dlq", "list")).Out.ShouldBeEmpty();
        node.Signal(PosixSignal.SIGTERM);
        (await node.EndAsync()).Code.ShouldBe(0);
    }

    [Fact]
    public async Task Node_of_a_cluster_that_refuses_its_configuration_should_leave_nothing_behind()
    {
        using var place = await Workplace.CreateAsync(servers, "create table log (line text)");
        place.Configure("- log: { commands: [[RPUSH, log, '{line}']] }", more: $"http: {{ port: 0 }}\ncluster: {{ port: {Ports.Free()}, host: 127.0.0.1, seeds: '127.0.0.1' }}\npetabridge: {{ enabled: false }}");
        (await place.RunAsync("run", "--cluster")).ShouldSay(ExitCode.Schema, "public.log has no replica identity");
        (await servers.Postgres.ScalarAsync<long>("select count(*) from pg_namespace where nspname = 'actorsync'", place.Database)).ShouldBe(0);
        (await servers.Postgres.ScalarAsync<long>("select count(*) from pg_publication", place.Database)).ShouldBe(0);
    }

    [Fact]
    public async Task Snapshot_should_copy_the_good_tables_and_fail_for_the_others()
    {
        using var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key); insert into orders values (1); create table log (line text)");
        place.Configure($"- log: {{ commands: [[RPUSH, log, '{{line}}']] }}\n- orders: {{ commands: [[SET, '{place.Slot}:{{id}}', x]] }}");
        var ended = await place.RunAsync("snapshot");
        ended.Code.ShouldBe((int)ExitCode.Schema, ended.Out + ended.Error);
        ended.Error.ShouldContain("All tables were copied but those that are stopped: public.log");
        (await servers.Redis.ExecAsync("GET", $"{place.Slot}:1")).ShouldBe("x");
        (await place.RunAsync("snapshot", "--table", "log")).ShouldSay(ExitCode.Schema, "public.log can't be copied");
    }

    [Fact]
    public async Task Second_node_on_the_slot_should_stand_by_and_stop_at_once()
    {
        using var place = await Workplace.CreateAsync(servers);
        using var first = place.Configure().Start("run");
        await first.SaysAsync("streaming slot");
        using var second = place.Start("run");
        await second.SaysAsync("standing by to take over");
        second.Signal(PosixSignal.SIGTERM);
        (await second.EndAsync()).Code.ShouldBe(0);
        first.Signal(PosixSignal.SIGTERM);
        (await first.EndAsync()).Code.ShouldBe(0);
    }

    [Fact]
    public async Task Snapshot_should_copy_end_and_copy_one_table_again_on_request()
    {
        using var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key, note text); insert into orders select n, 'row ' || n from generate_series(1, 100) n");
        string prefix = place.Slot;
        place.Configure($"- orders: {{ commands: [[SET, '{prefix}:{{id}}', '{{note}}']] }}");
        var ended = await place.RunAsync("snapshot");
        ended.Code.ShouldBe(0, ended.Error + ended.Out);
        (await servers.Redis.ExecAsync("GET", $"{prefix}:100")).ShouldBe("row 100");
        await servers.Redis.ExecAsync("DEL", $"{prefix}:5");
        (await place.RunAsync("snapshot")).Code.ShouldBe(0);
        (await servers.Redis.ExecAsync("EXISTS", $"{prefix}:5")).ShouldBe(0L);
        (await place.RunAsync("snapshot", "--table", "orders")).Code.ShouldBe(0);
        (await servers.Redis.ExecAsync("GET", $"{prefix}:5")).ShouldBe("row 5");
    }

    [Fact]
    public async Task Second_signal_should_end_a_node_that_can_not_finish()
    {
        using var redis = await RedisServer.StartAsync();
        using var place = await Workplace.CreateAsync(servers);
        int port = Ports.Free();
        place.Configure(more: $"http: {{ port: {port} }}").Environment["ACTORSYNC_REDIS_CONN_PORT"] = $"{redis.Port}";
        using var node = place.Start("run");
        await node.SaysAsync("streaming slot");
        redis.Pause();
        await place.SqlAsync("insert into orders values (1, 'never written')");
        var limit = System.Diagnostics.Stopwatch.StartNew();
        using (var client = new NodeClient(new Uri($"http://127.0.0.1:{port}")))
            while ((await client.TryStatusAsync(CancellationToken.None))?.Queues.Rows is not > 0)
            {
                limit.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(30), "the row was not read");
                await Task.Delay(20);
            }
        // The first signal asks, whichever comes second ends it; signals that come too close together count as one.
        while (!node.HasEnded)
        {
            limit.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(60));
            node.Signal(PosixSignal.SIGTERM);
            await Task.Delay(50);
        }
        var ended = await node.EndAsync();
        redis.Resume();
        ended.Code.ShouldBe(128 + 15, ended.Out + ended.Error);
    }

    [Fact]
    public async Task Watching_should_go_on_without_a_node_and_end_with_ctrl_c()
    {
        using var place = await Workplace.CreateAsync(servers);
        int port = Ports.Free();
        using var watch = place.Start("status", "--watch", "--url", $"http://127.0.0.1:{port}");
        await watch.SaysAsync($"no node answers at http://127.0.0.1:{port}");
        watch.Signal(PosixSignal.SIGINT);
        (await watch.EndAsync()).Code.ShouldBe(0);
    }

    async Task HoldsAsync(string key, string value)
    {
        var watch = System.Diagnostics.Stopwatch.StartNew();
        while (!Equals(await servers.Redis.ExecAsync("GET", key), value))
        {
            watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(30), $"{key} did not become '{value}'");
            await Task.Delay(20);
        }
    }
}

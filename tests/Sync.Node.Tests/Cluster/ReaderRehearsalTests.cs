using Sync.Contracts.Configuration;
using Sync.Node.Cluster;
using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Cluster;

/// <summary>What a node that stands by tries before it has to read.</summary>
[Collection(NodesCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class ReaderRehearsalTests(Servers servers)
{
    const string tables = "  - a: { commands: [[SET, 'a:{id}', '{n}']] }";

    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);

    static Task<bool?> Elsewhere(CancellationToken cancellationToken) => Task.FromResult<bool?>(true);

    static async Task<object?> TracesAsync(Pipeline pipeline) => await pipeline.ScalarAsync(
        $"select (select count(*) from pg_publication) + (select count(*) from pg_replication_slots where slot_name = '{pipeline.Slot}') + (select count(*) from pg_namespace where nspname = 'actorsync')");

    [Fact]
    public async Task It_should_leave_nothing_behind_and_say_nothing_when_the_node_could_read()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table a(id int primary key, n int)");
        await using var node = new LaneNode(LaneNode.Configure(servers, pipeline, tables));
        await new ReaderRehearsal(node.Parts).RunAsync(Elsewhere, default).WaitAsync(patience);
        (await TracesAsync(pipeline)).ShouldBe(0L);
        (await servers.Redis.ExecAsync("DBSIZE")).ShouldBe(0L);
        node.Log.Lines.ShouldBeEmpty();
    }

    [Fact]
    public async Task It_should_warn_of_what_would_keep_the_node_from_reading()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table a(id int primary key)");
        await using var node = new LaneNode(LaneNode.Configure(servers, pipeline, tables));
        await new ReaderRehearsal(node.Parts).RunAsync(Elsewhere, default).WaitAsync(patience);
        string line = node.Log.Lines.ShouldHaveSingleItem();
        line.ShouldStartWith($"Warning: This node could not read slot {pipeline.Slot} if it had to take over now:");
        line.ShouldContain("column 'n' does not exist in public.a");
    }

    [Theory]
    [InlineData("progress", ":progress")]
    [InlineData("snapshot", "WRONGTYPE")]
    [InlineData("dlq", "WRONGTYPE")]
    [InlineData("dlq:keys", "WRONGTYPE")]
    [InlineData("resync", "WRONGTYPE")]
    public async Task It_should_warn_of_keys_in_Redis_that_hold_something_else(string key, string cause)
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table a(id int primary key, n int)");
        await servers.Redis.ExecAsync("SET", $"actorsync:{{{pipeline.Slot}}}:{key}", "mine");
        await using var node = new LaneNode(LaneNode.Configure(servers, pipeline, tables));
        await new ReaderRehearsal(node.Parts).RunAsync(Elsewhere, default).WaitAsync(patience);
        string line = node.Log.Lines.ShouldHaveSingleItem();
        line.ShouldStartWith($"Warning: This node could not read slot {pipeline.Slot} if it had to take over now:");
        line.ShouldContain(cause);
    }

    [Fact]
    public async Task It_should_wait_until_another_node_reads_and_not_run_on_the_one_that_does()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "select 1");
        await using var node = new LaneNode(LaneNode.Configure(servers, pipeline, tables));
        // Its table is missing, so it has something to say as soon as it runs.
        await RunAsync(null, null, false);
        node.Log.Lines.ShouldBeEmpty();
        await RunAsync(null, null, true);
        node.Log.Lines.ShouldHaveSingleItem().ShouldContain("public.a");

        async Task RunAsync(params bool?[] answers)
        {
            var next = new Queue<bool?>(answers);
            await new ReaderRehearsal(node.Parts).RunAsync(
                _ =>
                {
                    node.Log.Lines.ShouldBeEmpty();
                    return Task.FromResult(next.Dequeue());
                },
                default).WaitAsync(patience);
            next.ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task It_should_leave_to_the_one_that_reads_to_say_that_PostgreSQL_or_Redis_is_away()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table a(id int primary key, n int)");
        var config = LaneNode.Configure(servers, pipeline, tables);
        var nobody = new HostPort("127.0.0.1", Sync.Testing.Ports.Free());
        SyncConfig[] aways =
        [
            config with { Postgres = config.Postgres with { Conn = config.Postgres.Conn with { Hosts = [nobody] } } },
            config with { Redis = config.Redis with { Conn = config.Redis.Conn with { Port = nobody.Port } } },
        ];
        foreach (var away in aways)
        {
            await using var node = new LaneNode(away);
            await new ReaderRehearsal(node.Parts).RunAsync(Elsewhere, default).WaitAsync(patience);
            node.Log.Lines.ShouldBeEmpty();
        }
    }
}

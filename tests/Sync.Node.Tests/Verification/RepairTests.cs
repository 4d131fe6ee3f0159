using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Http;
using Sync.Node.Resync;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Http;
using Sync.Node.Tests.Resync;
using Sync.Node.Verification;
using Sync.Testing;

namespace Sync.Node.Tests.Verification;

/// <summary><c>verify --repair</c> and the node it asks, over HTTP.</summary>
[Collection(VerificationCollection.Name)]
[Trait("Speed", "Slow")]
public class RepairTests(Servers servers)
{
    static readonly VerifyOptions repairing = Comparison.Options with { Repair = true };

    const string Schema = "create table t(id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 50) i";
    const string Tables = """
          - t: { commands: [["HSET", "t:{id}", "{pairs:*}"], ["SADD", "all", "{id}"], ["INCR", "count"]] }
        """;

    static Task<StatusServer> ServeAsync(Pipeline pipeline) =>
        StatusServer.StartAsync(new HttpOptions { Host = "127.0.0.1", Port = 0 }, pipeline.Host, new FakeNode(), NullLogger.Instance, CancellationToken.None);

    [PostgresFact(14)]
    public async Task Repair_should_mend_what_differs_and_nothing_else()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("HSET", "t:2", "name", "x", "more", "y");
        await pipeline.RedisAsync("DEL", "t:3");
        await pipeline.RedisAsync("HSET", "t:99", "name", "x");
        await pipeline.RedisAsync("SADD", "all", "88");
        await pipeline.RedisAsync("SREM", "all", "7");
        await using var server = await ServeAsync(pipeline);
        var report = await pipeline.VerifyAsync(repairing, server.Url);
        report.ShouldBeClean();
        report.Tables[0].Repaired.ShouldBe(5);
        (await pipeline.HashAsync("t:2")).ShouldBe("id=2 name=n2");
        (await pipeline.GetAsync("count")).ShouldBe("50", "what adds does not run again");
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [PostgresFact(14)]
    public async Task Repair_should_leave_what_changes_meanwhile_to_the_stream()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        using var over = new CancellationTokenSource();
        var load = Task.Run(async () =>
        {
            await using var sql = await servers.Postgres.OpenAsync(pipeline.Database);
            for (int i = 0; !over.IsCancellationRequested; i++)
            {
                await using var command = new Npgsql.NpgsqlCommand($"delete from t where id = {i % 50 + 1}; insert into t values ({i % 50 + 1}, 'm{i}')", sql);
                await command.ExecuteNonQueryAsync(CancellationToken.None);
            }
        });
        string[][] rows = [.. Enumerable.Range(1, 60).Select(i => new[] { i.ToString(System.Globalization.CultureInfo.InvariantCulture) })];
        for (int round = 0; round < 20; round++)
        {
            await pipeline.RedisAsync("DEL", "t:5", "all");
            var reply = await pipeline.Host.RepairAsync(new RepairRequest("public.t", rows, [.. rows.Select(r => new RepairPlace($"t:{r[0]}"))]), CancellationToken.None);
            reply.Error.ShouldBe("");
        }
        await over.CancelAsync();
        await load;
        await pipeline.CaughtUpAsync();
        (await pipeline.ResyncAsync("public.t")).State.ShouldBe(ResyncState.Done);
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [PostgresFact(14)]
    public async Task Keys_that_are_not_the_table_s_own_should_stay()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("SET", "mine", "x");
        await pipeline.RedisAsync("SET", "t:abc", "x");
        var request = new RepairRequest("public.t", [["1", "2"], ["no number"], ["99999999999999999999"]], [new("mine"), new("t:abc"), new("t:1"), new("all"), new("all", "1")]);
        (await pipeline.Host.RepairAsync(request, CancellationToken.None)).ShouldBe(new RepairReply(0, 0, 0, ""));
        (await pipeline.GetAsync("mine")).ShouldBe("x");
        (await pipeline.GetAsync("t:abc")).ShouldBe("x");
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [Fact]
    public async Task Repair_without_a_node_or_of_another_slot_should_be_refused()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        (await Should.ThrowAsync<SyncException>(() => pipeline.VerifyAsync(repairing))).Message.ShouldContain("--url");
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        int port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        (await Should.ThrowAsync<SyncException>(() => pipeline.VerifyAsync(repairing, new Uri($"http://127.0.0.1:{port}")))).Message.ShouldContain("No node answers");
        await using var other = await RunningServer.StartAsync();
        (await Should.ThrowAsync<SyncException>(() => pipeline.VerifyAsync(repairing, other.Url))).Message.ShouldContain("works for slot shop");
    }
}

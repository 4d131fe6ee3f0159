using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;
using Sync.Node.Tests.Hosting;
using Sync.Node.Verification;

namespace Sync.Node.Tests.Verification;

/// <summary>What the command asks a node to mend, against a listener that notes it and mends by hand.</summary>
[Collection(ServersCollection.Name)]
public class RepairTests(Servers servers)
{
    static readonly VerifyOptions repairing = Comparison.Options with { Repair = true };

    const string Schema = "create table t(id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 5) i";
    const string Tables = """
          - t: { commands: [["HSET", "t:{id}", "{pairs:*}"], ["SADD", "all", "{id}"]] }
        """;

    [Fact]
    public async Task Repair_should_name_rows_and_keys_and_compare_again()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("HSET", "t:2", "name", "x");
        await pipeline.RedisAsync("HSET", "t:9", "name", "x");
        await pipeline.RedisAsync("SADD", "all", "8");
        using var node = new Listener(pipeline, async request =>
        {
            foreach (var key in request.GetProperty("remove").EnumerateArray()) await pipeline.RedisAsync("DEL", key.GetProperty("key").GetString()!);
            foreach (var row in request.GetProperty("rows").EnumerateArray().Where(r => r[0].GetString() == "2")) await pipeline.RedisAsync("HSET", "t:2", "name", "n2");
        });
        var report = await pipeline.VerifyAsync(repairing, node.Url);
        report.Differences().ShouldBe(["extra all: member 8: no row leads to it"]);
        (report.Tables[0].Repaired, report.Drift).ShouldBe((2, 1));
        node.Requests.ShouldBe([
            """{"table":"public.t","rows":[["2"]],"remove":[]}""",
            """{"table":"public.t","rows":[],"remove":[{"key":"t:9","row":["9"]}]}""",
            """{"table":"public.t","rows":[["8"]],"remove":[]}""",
        ]);
    }

    [Fact]
    public async Task A_node_that_can_not_repair_should_be_one_sentence()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("DEL", "t:2");
        using var node = new Listener(pipeline, null);
        var error = await Should.ThrowAsync<SyncException>(() => pipeline.VerifyAsync(repairing, node.Url));
        error.Code.ShouldBe(ExitCode.CheckFailed);
        error.Message.ShouldContain("is of a version that can't repair");
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
        using var other = new Listener(pipeline, null, "another");
        (await Should.ThrowAsync<SyncException>(() => pipeline.VerifyAsync(repairing, other.Url))).Message.ShouldContain("works for slot another");
    }

    /// <summary>Answers as a node does: its status is that of the pipeline's node.</summary>
    sealed class Listener : IDisposable
    {
        readonly HttpListener listener = new();

        public Listener(Pipeline pipeline, Func<JsonElement, Task>? mend, string? slot = null)
        {
            var probe = new TcpListener(IPAddress.Loopback, 0);
            probe.Start();
            Url = new Uri($"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/");
            probe.Stop();
            listener.Prefixes.Add(Url.ToString());
            listener.Start();
            _ = Task.Run(() => ServeAsync(pipeline, mend, slot ?? pipeline.Slot));
        }

        public Uri Url { get; }
        public List<string> Requests { get; } = [];

        public void Dispose() => listener.Close();

        async Task ServeAsync(Pipeline pipeline, Func<JsonElement, Task>? mend, string slot)
        {
            while (listener.IsListening)
            {
                HttpListenerContext context;
                try { context = await listener.GetContextAsync(); }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException) { return; }
                string body = await new StreamReader(context.Request.InputStream).ReadToEndAsync();
                object answer = pipeline.Host.Status with { Slot = slot };
                if (context.Request.Url!.AbsolutePath == "/api/repair")
                {
                    context.Response.StatusCode = mend is null ? 404 : 200;
                    Requests.Add(body);
                    answer = new { rows = 1, removed = 1 };
                    if (mend is not null) await mend(JsonDocument.Parse(body).RootElement);
                }
                byte[] bytes = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(answer, answer.GetType(), HttpJson.Options));
                context.Response.ContentType = "application/json";
                await context.Response.OutputStream.WriteAsync(bytes);
                context.Response.Close();
            }
        }
    }
}

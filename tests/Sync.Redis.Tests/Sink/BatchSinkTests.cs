using System.Text;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Resp;
using Sync.Redis.Sink;
using Sync.Redis.Tests.Support;
using Sync.Testing;

namespace Sync.Redis.Tests.Sink;

public abstract class BatchSinkContract : IClassFixture<RedisFixture>, IAsyncLifetime
{
    readonly RedisFixture redis;

    protected BatchSinkContract(RedisFixture redis, RedisClient client)
    {
        this.redis = redis;
        redis.Client = client;
    }

    static readonly RedisKeys Keys = new("sink");
    static readonly byte[] Field = "w:4:1"u8.ToArray();

    public Task InitializeAsync() => redis.EmptyAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Sink_should_apply_batches_in_order_and_record_the_position()
    {
        await using var session = await redis.OpenAsync();
        var first = Batches.Single(["SET", "a", "1"], ["RPUSH", "list", "1"], ["RPUSH", "list", "2"]);
        var second = Batches.Of([["RPUSH", "list", "3"], ["SET", "a", "2"]], [["APPEND", "a", "!"]]);
        var result = await session.WriteAsync([first, second], Keys.ProgressBytes, Field, Batches.At(7), default);
        result.ShouldBeSameAs(FlightResult.AllApplied);
        (await redis.Server.ExecAsync("GET", "a")).ShouldBe("2!");
        (await redis.Server.ExecAsync("LRANGE", "list", "0", "-1")).ShouldBe(new object[] { "1", "2", "3" });
        (await redis.Server.ExecAsync("HGETALL", "actorsync:{sink}:progress")).ShouldBe(new object[] { "w:4:1", "00000000000010000000000000000007" });
    }

    [Fact]
    public async Task Sink_should_record_nothing_for_a_snapshot()
    {
        await using var session = await redis.OpenAsync();
        var result = await session.WriteAsync([Batches.Single(["SET", "a", "1"])], Keys.ProgressBytes, Field, Position.None, default);
        result.ShouldBeSameAs(FlightResult.AllApplied);
        (await redis.Server.ExecAsync("KEYS", "*")).ShouldBe(new object[] { "a" });
    }

    [Fact]
    public async Task Sink_should_take_flight_after_flight_and_reused_batches()
    {
        await using var session = await redis.OpenAsync();
        var batch = new Batch();
        for (int flight = 1; flight <= 200; flight++)
        {
            batch.Reset();
            for (int i = 0; i < flight; i++) batch.AddEntry(["INCR", $"counter:{i % 7}"]);
            (await session.WriteAsync([batch], Keys.ProgressBytes, Field, Batches.At(flight), default)).ShouldBeSameAs(FlightResult.AllApplied);
        }
        long sum = 0;
        for (int i = 0; i < 7; i++) sum += long.Parse((string)(await redis.Server.ExecAsync("GET", $"counter:{i}"))!);
        sum.ShouldBe(200 * 201 / 2);
    }

    [Fact]
    public async Task Sink_should_understand_replies_of_every_shape()
    {
        await using var session = await redis.OpenAsync();
        var batch = Batches.Single(
            ["SET", "text", "va\r\n-ERR not an error\r\nlue"], ["GETDEL", "text"], ["GETDEL", "text"], ["XADD", "stream", "*", "f", "v"], ["SET", "s", "1", "NX"], ["SET", "s", "2", "NX"],
            ["HINCRBYFLOAT", "h", "f", "1.5"], ["ZADD", "z", "INCR", "2", "m"], ["XRANGE", "stream", "-", "+"], ["LRANGE", "none", "0", "-1"], ["HGETALL", "h"], ["PUBLISH", "c", "m"], ["COMMAND", "INFO", "get", "set"]);
        (await session.WriteAsync([batch], Keys.ProgressBytes, Field, Batches.At(1), default)).ShouldBeSameAs(FlightResult.AllApplied);
        (await session.Connection.ExecuteAsync(default, "PING")).AsString().ShouldBe("PONG");
    }

    [Fact]
    public async Task Sink_should_write_any_bytes()
    {
        await using var session = await redis.OpenAsync();
        string[] values = ["", "\r\n", "*1\r\n$4\r\nEXEC\r\n", "$-1\r\n", "ünï ☃ 😀", new string('m', 1024 * 1024)];
        var batch = new Batch();
        for (int i = 0; i < values.Length; i++) batch.AddEntry(["SET", $"value {i}:\r\n", values[i]]);
        byte[] binary = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        var writer = new RespWriter();
        writer.ArrayHeader(3);
        writer.Bulk("SET"u8);
        writer.Bulk("binary"u8);
        writer.Bulk(binary);
        batch.Add(99, Batches.At(99), writer.Written, 1, "binary"u8, 0, ChangeKind.Insert, 0);
        (await session.WriteAsync([batch], Keys.ProgressBytes, Field, batch.Last, default)).ShouldBeSameAs(FlightResult.AllApplied);
        for (int i = 0; i < values.Length; i++)
        {
            string stored = (string)(await redis.Server.ExecAsync("GET", $"value {i}:\r\n"))!;
            Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(stored)).ShouldBe(values[i]);
        }
        Encoding.Latin1.GetBytes((string)(await redis.Server.ExecAsync("GET", "binary"))!).ShouldBe(binary);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Sink_should_write_a_large_flight_with_replies_as_large(bool tls)
    {
        using var sandbox = new Sandbox();
        var certificates = TestCertificates.Create(sandbox.Path);
        using var server = await RedisServer.StartAsync(certificates);
        var options = tls
            ? new RedisConnectionOptions { Host = "localhost", Port = server.TlsPort, Tls = new TlsOptions { RootCert = certificates.CaCert }, Client = redis.Client }
            : RedisFixture.Options(server, redis.Client);
        await using var session = await SinkSession.OpenAsync(options, TimeSpan.FromSeconds(30), TimeProvider.System, null, default);

        // SET … GET echoes the old value.
        var flight = new List<Batch>();
        const int batches = 80;
        const int rows = 250;
        string value = new('x', 1000);
        for (int b = 0; b < batches; b++)
        {
            var batch = new Batch();
            for (int i = 0; i < rows; i++) batch.AddEntry(["SET", $"k:{i % 10}", value, "GET"]);
            flight.Add(batch);
        }
        flight.Sum(batch => batch.Bytes).ShouldBeGreaterThan(20_000_000);
        (await session.WriteAsync(flight, Keys.ProgressBytes, Field, Batches.At(1), default)).ShouldBeSameAs(FlightResult.AllApplied);
        (await server.ExecAsync("DBSIZE")).ShouldBe(11L);
    }

    [Fact]
    public async Task Sink_should_write_one_value_of_many_megabytes_among_small_ones()
    {
        await using var session = await redis.OpenAsync();
        var batch = Batches.Single(["SET", "small", "1"], ["SET", "large", new string('y', 20_000_000)], ["SET", "after", "2"]);
        (await session.WriteAsync([batch, Batches.Single(["GET", "large"])], Keys.ProgressBytes, Field, Batches.At(1), default))
            .ShouldBeSameAs(FlightResult.AllApplied);
        (await redis.Server.ExecAsync("STRLEN", "large")).ShouldBe(20_000_000L);
        (await redis.Server.ExecAsync("GET", "after")).ShouldBe("2");
    }

    [Fact]
    public async Task Sink_should_allocate_no_object_per_row()
    {
        await using var session = await redis.OpenAsync();
        var flight = new List<Batch>();
        const int batches = 100;
        const int rows = 200;
        const int flights = 10;
        for (int b = 0; b < batches; b++)
        {
            var batch = new Batch();
            for (int i = 0; i < rows; i++) batch.AddEntry(["HSET", $"row:{b}:{i}", "name", "value", "price", "12.50"]);
            flight.Add(batch);
        }
        // Off the test's own synchronisation context, which allocates for every continuation.
        long allocated = await Task.Run(async () =>
        {
            await session.WriteAsync(flight, Keys.ProgressBytes, Field, Batches.At(1), default);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < flights; i++)
                (await session.WriteAsync(flight, Keys.ProgressBytes, Field, Batches.At(i + 2), default)).ShouldBeSameAs(FlightResult.AllApplied);
            return GC.GetTotalAllocatedBytes(precise: true) - before;
        });
        // Of the second client one copy of the bytes may be taken anew for each flight.
        ((double)allocated / (flights * batches * rows)).ShouldBeLessThan(redis.Client == RedisClient.Resp ? 4 : 24);
    }
}

public sealed class BatchSinkTests(RedisFixture redis) : BatchSinkContract(redis, RedisClient.Resp);

public sealed class BatchSinkOnStackExchangeTests(RedisFixture redis) : BatchSinkContract(redis, RedisClient.StackExchange);

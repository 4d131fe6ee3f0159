using Sync.Contracts;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>
/// Everything a real Redis says no with for a passing reason, under load: the circuit opens where it can be seen, the order is kept, and when
/// Redis is willing again nothing is lost or repeated. What does not pass by itself ends the node.
/// </summary>
[Collection(BreakableCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class RefusalTests(BreakableServers servers) : IAsyncLifetime
{
    RedisServer redis = null!;

    public async Task InitializeAsync() => redis = await RedisServer.StartAsync(
        "--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "local", "--busy-reply-threshold", "50",
        // Loading events are looked after every so many bytes only; few, so that clients hear LOADING.
        "--loading-process-events-interval-bytes", "1024");

    public Task DisposeAsync()
    {
        redis.Dispose();
        return Task.CompletedTask;
    }

    async Task UnderLoadAsync(string says, Func<Task> refuse, Func<Task> allow, string extra = "")
    {
        await using var stage = await Stage.OpenAsync(servers.Postgres, redis, Bookings.Schema, Bookings.Tables, "statsInterval: 1s\n" + extra);
        stage.Edit = yaml => yaml.Replace("initialBackoff: 20ms", "maxRetries: 2, initialBackoff: 20ms");
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        bookings.Start(pauseMs: 3);
        await node.UntilAsync(() => node.Status.Tables[0].Rows > 200, "rows should flow");
        await refuse();
        try
        {
            await node.UntilAsync(() => node.Status is { OpenCircuits: > 0, Ready: false } status && status.LastError.Contains(says), $"the circuit should open because of {says}");
        }
        finally
        {
            await allow();
        }
        await node.UntilAsync(() => node.Status is { OpenCircuits: 0, Ready: true }, "the circuit should close");
        long rows = node.Status.Tables[0].Rows;
        await node.UntilAsync(() => node.Status.Tables[0].Rows > rows + 200, "rows should flow again");
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
        node.Status.DeadLetters.ShouldBe(0);
        node.Status.Retries.ShouldBeGreaterThan(2);
    }

    Task SetAsync(string name, string value) => redis.ExecAsync("CONFIG", "SET", name, value);

    [Fact]
    public Task A_full_Redis_should_be_waited_for() => UnderLoadAsync("OOM", () => SetAsync("maxmemory", "1"), () => SetAsync("maxmemory", "0"));

    [Fact]
    public Task A_Redis_without_enough_replicas_should_be_waited_for() =>
        UnderLoadAsync("NOREPLICAS", () => SetAsync("min-replicas-to-write", "1"), () => SetAsync("min-replicas-to-write", "0"));

    [Fact]
    public async Task A_master_that_was_demoted_should_be_waited_for()
    {
        // Its master never answers, so it keeps its data, and is promoted again.
        using var gone = await RedisServer.StartAsync();
        gone.Kill();
        await UnderLoadAsync("READONLY", () => redis.ExecAsync("REPLICAOF", "127.0.0.1", $"{gone.Port}"), () => redis.ExecAsync("REPLICAOF", "NO", "ONE"));
    }

    [Fact]
    public async Task A_Redis_that_can_not_save_should_be_waited_for()
    {
        string obstacle = Path.Combine(redis.Folder, "dump.rdb");
        await UnderLoadAsync(
            "MISCONF",
            async () =>
            {
                Directory.CreateDirectory(obstacle);
                await SetAsync("save", "3600 1");
                await redis.ExecAsync("BGSAVE");
            },
            async () =>
            {
                Directory.Delete(obstacle);
                await SetAsync("save", "");
            });
    }

    [Fact]
    public async Task A_Redis_that_is_busy_with_a_script_should_be_waited_for()
    {
        using var spinning = await redis.ClientAsync();
        Task? script = null;
        await UnderLoadAsync(
            "BUSY",
            () =>
            {
                script = spinning.CommandAsync("EVAL", "while true do end", "0");
                return Task.CompletedTask;
            },
            () => redis.ExecAsync("SCRIPT", "KILL"));
        await Should.ThrowAsync<TestRedisException>(async () => await script!);
    }

    [Fact]
    public async Task Clients_that_are_paused_should_wait()
    {
        // Until the pause is over or lifted nothing answers, so each attempt runs into the time-out with an unknown outcome.
        await UnderLoadAsync("did not answer", () => redis.ExecAsync("CLIENT", "PAUSE", "60000", "WRITE"), () => redis.ExecAsync("CLIENT", "UNPAUSE"), "writeTimeout: 300ms");
    }

    [Fact]
    public async Task A_Redis_that_sleeps_should_be_waited_for()
    {
        Task? sleep = null;
        using var sleeper = await redis.ClientAsync();
        await UnderLoadAsync(
            "did not answer",
            () =>
            {
                sleep = sleeper.CommandAsync("DEBUG", "SLEEP", "4");
                return Task.CompletedTask;
            },
            () => sleep!, "writeTimeout: 300ms");
    }

    [Fact]
    public async Task A_Redis_that_loads_its_data_should_be_waited_for()
    {
        await using var stage = await Stage.OpenAsync(servers.Postgres, redis, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        await stage.RedisAsync("DEBUG", "POPULATE", "4000");
        await stage.RedisAsync("BGREWRITEAOF");
        await node.UntilAsync(async () => ((string)(await stage.RedisAsync("INFO", "persistence"))!).Contains("aof_rewrite_in_progress:0"), "the file should be rewritten");
        bookings.Start(pauseMs: 3);
        await node.UntilAsync(() => node.Status.Tables[0].Rows > 200, "rows should flow");
        redis.Kill();
        await redis.StartAgainAsync(waitUntilLoaded: false, "--key-load-delay", "1000");
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("still loading its data set")), "it should hear that Redis loads");
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
    }

    [Fact]
    public async Task A_password_that_was_changed_should_end_the_node_with_a_sentence()
    {
        await using var stage = await Stage.OpenAsync(servers.Postgres, redis, Bookings.Schema, Bookings.Tables);
        var node = await stage.StartAsync();
        await stage.RedisAsync("ACL", "SETUSER", "default", "resetpass", ">another");
        try
        {
            node.Redis.Cut();
            node.Redis.Mend();
            await stage.SqlAsync("insert into booking(account, amount) values (1, 1)");
            var failure = await node.FailureAsync();
            failure.Code.ShouldBe(ExitCode.RedisAuthentication);
            failure.Message.ShouldNotContain("another");
        }
        finally
        {
            using var client = await TestRedis.ConnectAsync(redis.Port, "another");
            await client.CommandAsync("ACL", "SETUSER", "default", "nopass");
        }
    }
}

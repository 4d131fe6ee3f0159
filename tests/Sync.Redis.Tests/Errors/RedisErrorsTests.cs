using Sync.Contracts;
using Sync.Engine.Retry;
using Sync.Redis.Errors;
using Sync.Testing;

namespace Sync.Redis.Tests.Errors;

/// <summary>Every error here was said by a real server in this very test, so a change of wording in Redis shows.</summary>
public sealed class RedisErrorsTests
{
    [Theory]
    [InlineData("WRONGTYPE", "LPUSH", "text", "1")]
    [InlineData("ERR value is not an integer", "INCR", "text")]
    [InlineData("ERR hash value is not an integer", "HINCRBY", "hash", "f", "1")]
    [InlineData("ERR value is not a valid float", "INCRBYFLOAT", "text", "1")]
    [InlineData("ERR unknown command", "JSON.SET", "doc", "$", "{}")]
    [InlineData("ERR wrong number of arguments", "HSET", "hash", "f")]
    [InlineData("ERR syntax error", "SET", "text", "1", "NONSENSE")]
    [InlineData("ERR increment or decrement would overflow", "INCRBY", "huge", "9223372036854775807")]
    [InlineData("ERR value is not a valid float", "ZADD", "zset", "abc", "m")]
    public async Task Error_of_a_command_should_be_poison(string text, params string[] command)
    {
        using var server = await RedisServer.StartAsync();
        await server.ExecAsync("MSET", "text", "a", "huge", "9223372036854775807");
        await server.ExecAsync("HSET", "hash", "f", "text");
        await Check(server, FailureClass.Poison, text, command);
    }

    [Fact]
    public async Task Out_of_memory_should_be_transient()
    {
        using var server = await RedisServer.StartAsync("--maxmemory", "1");
        await Check(server, FailureClass.Transient, "OOM", "SET", "a", "1");
    }

    [Fact]
    public async Task A_replica_should_be_transient()
    {
        using var master = await RedisServer.StartAsync();
        using var replica = await RedisServer.StartAsync("--replicaof", $"127.0.0.1 {master.Port}");
        await Check(replica, FailureClass.Transient, "READONLY", "SET", "a", "1");
    }

    [Fact]
    public async Task A_replica_without_its_master_should_be_transient()
    {
        using var master = await RedisServer.StartAsync();
        master.Kill();
        using var replica = await RedisServer.StartAsync("--replicaof", $"127.0.0.1 {master.Port}", "--replica-serve-stale-data", "no");
        await Check(replica, FailureClass.Transient, "MASTERDOWN", "GET", "a");
    }

    [Fact]
    public async Task Too_few_replicas_should_be_transient()
    {
        using var server = await RedisServer.StartAsync("--min-replicas-to-write", "1");
        await Check(server, FailureClass.Transient, "NOREPLICAS", "SET", "a", "1");
    }

    [Fact]
    public async Task A_failed_save_should_be_transient()
    {
        using var server = await RedisServer.StartAsync("--save", "3600 1");
        Directory.CreateDirectory(Path.Combine(server.Folder, "dump.rdb"));
        await server.ExecAsync("SET", "a", "1");
        await server.ExecAsync("BGSAVE");
        var deadline = DateTime.UtcNow.AddSeconds(20);
        while (!((string)(await server.ExecAsync("INFO", "persistence"))!).Contains("rdb_last_bgsave_status:err"))
        {
            DateTime.UtcNow.ShouldBeLessThan(deadline);
            await Task.Delay(10);
        }
        await Check(server, FailureClass.Transient, "MISCONF", "SET", "a", "1");
    }

    [Fact]
    public async Task A_busy_script_should_be_transient()
    {
        using var server = await RedisServer.StartAsync("--busy-reply-threshold", "20");
        using var spinning = await server.ClientAsync();
        var script = spinning.CommandAsync("EVAL", "while true do end", "0");
        using var client = await server.ClientAsync();
        await Check(server, FailureClass.Transient, "BUSY", "SET", "a", "1");
        await client.CommandAsync("SCRIPT", "KILL");
        await Should.ThrowAsync<TestRedisException>(async () => await script);
    }

    [Fact]
    public async Task Missing_login_and_rights_should_be_fatal()
    {
        using var server = await RedisServer.StartAsync("--requirepass", "secret");
        await server.ExecAsync("ACL", "SETUSER", "reader", "on", ">p", "~*", "+@read", "+multi");
        using var stranger = await TestRedis.ConnectAsync(server.Port);
        await Check(stranger, FailureClass.Fatal, "NOAUTH", "SET", "a", "1");
        await Check(stranger, FailureClass.Fatal, "WRONGPASS", "AUTH", "bad");
        await stranger.CommandAsync("AUTH", "reader", "p");
        string text = await Check(stranger, FailureClass.Fatal, "NOPERM", "SET", "a", "1");
        var error = RedisErrors.ToException(text, "redis:6379", "reader").ShouldBeOfType<SyncException>();
        error.Code.ShouldBe(ExitCode.RedisAuthentication);
        error.Message.ShouldContain("'reader'");
        error.Message.ShouldContain("ACL SETUSER");
    }

    [Theory]
    [InlineData("EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.", FailureClass.Transient)]
    [InlineData("ERR max number of clients reached", FailureClass.Transient)]
    [InlineData("MOVED 3999 127.0.0.1:6381", FailureClass.Transient)]
    [InlineData("CLUSTERDOWN The cluster is down", FailureClass.Transient)]
    [InlineData("TRYAGAIN Multiple keys request during rehashing of slot", FailureClass.Transient)]
    [InlineData("LOADING Redis is loading the dataset in memory", FailureClass.Transient)]
    [InlineData("ERR operation not permitted", FailureClass.Fatal)]
    [InlineData("CROSSSLOT Keys in request don't hash to the same slot", FailureClass.Poison)]
    [InlineData("", FailureClass.Poison)]
    public void Other_known_errors_should_be_classified(string text, FailureClass expected) => RedisErrors.Classify(text).ShouldBe(expected);

    [Fact]
    public void Cause_should_not_repeat_values() =>
        RedisErrors.Cause("ERR unknown command 'JSON.SET', with args beginning with: 'doc' 'secret' ").ShouldBe("ERR unknown command 'JSON.SET'");

    static async Task<string> Check(RedisServer server, FailureClass expected, string text, params string[] command)
    {
        using var client = await server.ClientAsync();
        return await Check(client, expected, text, command);
    }

    static async Task<string> Check(TestRedis client, FailureClass expected, string text, params string[] command)
    {
        var deadline = DateTime.UtcNow.AddSeconds(20);
        while (true)
        {
            // States such as BUSY or READONLY may take a moment to set in.
            try { await client.CommandAsync(command); }
            catch (TestRedisException error) when (error.Message.StartsWith(text, StringComparison.Ordinal))
            {
                RedisErrors.Classify(error.Message).ShouldBe(expected, error.Message);
                return error.Message;
            }
            DateTime.UtcNow.ShouldBeLessThan(deadline);
            await Task.Delay(10);
        }
    }
}

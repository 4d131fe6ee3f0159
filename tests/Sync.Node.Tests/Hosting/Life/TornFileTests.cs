using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>
/// A Redis whose append-only file ends inside a transaction, as after a crash in the middle of a write: its next start leaves the beginning of that transaction in the file, and the start
/// after that runs it.
/// </summary>
[Collection(ServersCollection.Name)]
public sealed class TornFileTests(Servers servers)
{
    const string Schema = "create table ev(id int primary key)";

    const string Tables = """
          - ev:
              insert: { commands: [["RPUSH", "list", "{id}"]] }
        """;

    /// <summary>What a crash leaves of a transaction of two commands.</summary>
    const string Torn = "*1\r\n$5\r\nMULTI\r\n*3\r\n$5\r\nRPUSH\r\n$4\r\nlist\r\n$4\r\ntorn\r\n*3\r\n$5\r\nRPUSH\r\n$4\r\nli";

    static Task<RedisServer> StartRedisAsync(params string[] further) => RedisServer.StartAsync(["--appendonly", "yes", "--appendfsync", "always", .. further]);

    static void Tear(RedisServer redis)
    {
        redis.Kill();
        string file = Directory.GetFiles(redis.Folder, "*.aof", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Last();
        File.AppendAllText(file, Torn);
    }

    /// <summary>A file that is not the last one and ends inside a transaction is shortened by a start that fails; the next one succeeds.</summary>
    static async Task KillAndStartAgainAsync(RedisServer redis)
    {
        redis.Kill();
        try { await redis.StartAgainAsync(); }
        catch (InvalidOperationException) { await redis.StartAgainAsync(); }
    }

    static async Task AddAsync(Stage stage, TestNode node, int id)
    {
        await stage.SqlAsync($"insert into ev values ({id})");
        await stage.CaughtUpAsync(node);
    }

    [Fact]
    public async Task What_was_torn_should_not_come_back_with_the_start_after_the_next()
    {
        using var redis = await StartRedisAsync();
        await using var stage = await Stage.OpenAsync(servers.Postgres, redis, Schema, Tables);
        var node = await stage.StartAsync();
        await AddAsync(stage, node, 1);
        Tear(redis);
        await redis.StartAgainAsync();
        await AddAsync(stage, node, 2);
        (await stage.ItemsAsync("LRANGE", "list", "0", "-1")).ShouldBe(["1", "2"]);

        await KillAndStartAgainAsync(redis);
        await AddAsync(stage, node, 3);
        (await stage.ItemsAsync("LRANGE", "list", "0", "-1")).ShouldBe(["1", "2", "3"]);
        node.Log.ShouldContain(l => l.Contains("begins a new append-only file"));
    }

    [Fact]
    public async Task A_user_who_may_not_begin_a_new_file_should_be_told()
    {
        using var redis = await StartRedisAsync("--user", "default", "on", "nopass", "~*", "&*", "+@all", "-bgrewriteaof");
        await using var stage = await Stage.OpenAsync(servers.Postgres, redis, Schema, Tables);
        var node = await stage.StartAsync();
        await AddAsync(stage, node, 1);
        Tear(redis);
        await redis.StartAgainAsync();
        await AddAsync(stage, node, 2);
        node.Log.ShouldContain(l => l.StartsWith("Warning", StringComparison.Ordinal) && l.Contains("+bgrewriteaof"));
    }
}

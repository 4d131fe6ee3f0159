using System.Text;
using Sync.Contracts;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Tests.Support;

namespace Sync.Redis.Tests.Connections;

/// <summary>Our own client and servers that no other would stand, which no real one is.</summary>
public sealed class RespConnectionTests
{
    [Theory]
    [InlineData("5.0.14")]
    [InlineData("2.8")]
    public async Task Connection_should_refuse_an_old_server(string version)
    {
        string info = $"# Server\r\nredis_version:{version}\r\nrun_id:abc\r\nloading:0\r\n";
        byte[] answer = Encoding.ASCII.GetBytes($"+OK\r\n+OK\r\n:7\r\n${info.Length}\r\n{info}\r\n*0\r\n*0\r\n");
        await using var server = new ScriptedServer(answer, close: false);
        var error = await Should.ThrowAsync<SyncException>(
            async () => await RespConnection.ConnectAsync(server.Options, RedisFixture.Timeout, TimeProvider.System, default));
        error.Code.ShouldBe(ExitCode.RedisUnsuitable);
        error.Message.ShouldContain(version);
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n", "protocol")]
    [InlineData("+OK\r\n+OK\r\n:1\r\n$3\r\nabc\r\n*0\r\n*0\r\n+EXTRA\r\n", "more replies")]
    [InlineData("-ERR max number of clients reached\r\n", "says: ERR max number of clients reached")]
    [InlineData("", "lost")]
    public async Task Connection_should_drop_a_server_that_does_not_talk_sense(string answer, string says)
    {
        await using var server = new ScriptedServer(Encoding.ASCII.GetBytes(answer), close: true);
        var error = await Should.ThrowAsync<RedisTransientException>(
            async () => await RespConnection.ConnectAsync(server.Options, RedisFixture.Timeout, TimeProvider.System, default));
        error.Message.ShouldContain(says);
    }

    [Fact]
    public async Task Connection_should_not_deadlock_with_a_server_that_reads_on_only_when_its_replies_are_taken()
    {
        const int commands = 20_000;
        byte[] reply = Encoding.ASCII.GetBytes($"$1000\r\n{new string('r', 1000)}\r\n");
        await using var server = new ScriptedServer(ScriptedServer.Welcome, close: false, reply);
        await using var connection = await RespConnection.ConnectAsync(server.Options, TimeSpan.FromSeconds(5), TimeProvider.System, default);
        string argument = new string('a', 999) + (char)ScriptedServer.Mark;
        var pipeline = new RespCommands();
        for (int i = 0; i < commands; i++) pipeline.Add("ECHO", argument);
        var replies = await connection.ExecutePipelineAsync(pipeline, default);
        replies.Length.ShouldBe(commands);
        replies.ShouldAllBe(value => value.Bytes.Length == 1000);
    }

    [Fact]
    public async Task Connection_should_say_that_protected_mode_is_in_the_way()
    {
        await using var server = new ScriptedServer("-DENIED Redis is running in protected mode because protected mode is enabled\r\n"u8.ToArray(), close: true);
        var error = await Should.ThrowAsync<SyncException>(
            async () => await RespConnection.ConnectAsync(server.Options, RedisFixture.Timeout, TimeProvider.System, default));
        error.Code.ShouldBe(ExitCode.RedisAuthentication);
        error.Message.ShouldContain("protected mode");
    }
}

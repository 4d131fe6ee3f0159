using System.Net.Sockets;
using Sync.Contracts.Configuration;
using Sync.Redis.Multiplexer;

namespace Sync.Redis.Tests.Multiplexer;

public sealed class MultiplexerErrorsTests
{
    [Theory]
    [InlineData(SocketError.OperationAborted, true, "did not let StackExchange.Redis connect within 0.5 s; does that port speak TLS?")]
    [InlineData(SocketError.OperationAborted, false, "did not let StackExchange.Redis connect within 0.5 s.")]
    [InlineData(SocketError.ConnectionRefused, true, "can't be reached: Connection refused.")]
    public void An_attempt_that_took_too_long_should_not_be_taken_for_what_the_socket_says_of_it(SocketError code, bool tls, string expected)
    {
        var options = new RedisConnectionOptions { Tls = tls ? new TlsOptions() : null };
        var error = new IOException("broken off", new SocketException((int)code));
        MultiplexerErrors.OfConnecting(error, null, options, "redis:6379", TimeSpan.FromMilliseconds(500)).Message.ShouldBe($"Redis at redis:6379 {expected}");
    }
}

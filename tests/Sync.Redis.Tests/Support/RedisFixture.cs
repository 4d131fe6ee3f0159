using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Sink;
using Sync.Testing;

namespace Sync.Redis.Tests.Support;

/// <summary>One server for all tests of a class; each test begins with an empty one through <see cref="EmptyAsync"/>.</summary>
public sealed class RedisFixture : IAsyncLifetime
{
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    public RedisServer Server { get; private set; } = null!;

    public async Task InitializeAsync() => Server = await RedisServer.StartAsync();

    public Task DisposeAsync()
    {
        Server.Dispose();
        return Task.CompletedTask;
    }

    public async Task EmptyAsync() => await Server.ExecAsync("FLUSHALL");

    public ValueTask<RespConnection> ConnectAsync() => ConnectAsync(Server);

    public ValueTask<SinkSession> OpenAsync(RedisClientIdentity? previous = null) => OpenAsync(Server, previous: previous);

    public static RedisConnectionOptions Options(RedisServer server) => new() { Host = RedisServer.Host, Port = server.Port };

    public static ValueTask<RespConnection> ConnectAsync(RedisServer server, TimeSpan? timeout = null) =>
        RespConnection.ConnectAsync(Options(server), timeout ?? Timeout, TimeProvider.System, default);

    public static ValueTask<SinkSession> OpenAsync(RedisServer server, TimeSpan? timeout = null, RedisClientIdentity? previous = null) =>
        SinkSession.OpenAsync(Options(server), timeout ?? Timeout, TimeProvider.System, previous, default);
}

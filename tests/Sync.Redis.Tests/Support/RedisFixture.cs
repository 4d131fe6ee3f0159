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

    /// <summary>Which client the connections are made with.</summary>
    public RedisClient Client { get; set; }

    public async Task InitializeAsync() => Server = await RedisServer.StartAsync();

    public Task DisposeAsync()
    {
        Server.Dispose();
        return Task.CompletedTask;
    }

    public async Task EmptyAsync() => await Server.ExecAsync("FLUSHALL");

    public ValueTask<RespConnection> ConnectAsync() => ConnectAsync(Server, client: Client);

    public ValueTask<SinkSession> OpenAsync(RedisClientIdentity? previous = null) => OpenAsync(Server, previous: previous, client: Client);

    public static RedisConnectionOptions Options(RedisServer server, RedisClient client = RedisClient.Resp) => new() { Host = RedisServer.Host, Port = server.Port, Client = client };

    public static ValueTask<RespConnection> ConnectAsync(RedisServer server, TimeSpan? timeout = null, RedisClient client = RedisClient.Resp) =>
        RespConnection.ConnectAsync(Options(server, client), timeout ?? Timeout, TimeProvider.System, default);

    public static ValueTask<SinkSession> OpenAsync(RedisServer server, TimeSpan? timeout = null, RedisClientIdentity? previous = null, RedisClient client = RedisClient.Resp) =>
        SinkSession.OpenAsync(Options(server, client), timeout ?? Timeout, TimeProvider.System, previous, default);
}

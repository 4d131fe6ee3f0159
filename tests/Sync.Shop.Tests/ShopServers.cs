using Npgsql;
using Shop;
using Sync.Node.Demo;

namespace Sync.Shop.Tests;

/// <summary>A PostgreSQL with the shop in it and an empty Redis, shared by the tests of a class.</summary>
public sealed class ShopServers : IAsyncLifetime
{
    internal PrivateServers Servers { get; private set; } = null!;
    internal NpgsqlConnection Postgres { get; private set; } = null!;
    internal RespClient Redis { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Servers = await PrivateServers.StartAsync(CancellationToken.None);
        await Servers.LoadShopAsync(CancellationToken.None);
        Postgres = new NpgsqlConnection(Servers.ConnectionString);
        await Postgres.OpenAsync();
        Redis = await RespClient.ConnectAsync("127.0.0.1", Servers.RedisPort, CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        Redis?.Dispose();
        if (Postgres is not null) await Postgres.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        if (Servers is not null) await Servers.DisposeAsync();
    }

    /// <summary>Makes Redis hold exactly what PostgreSQL calls for.</summary>
    internal async Task ProjectAsync()
    {
        var expected = await ExpectedShop.ComputeAsync(Postgres, CancellationToken.None);
        List<string[]> commands = [["FLUSHALL"]];
        foreach (var (key, value) in expected)
        {
            commands.AddRange(Write(key, value));
            if (value.MaxTtl is { } ttl) commands.Add(["PEXPIRE", key, $"{(long)ttl.TotalMilliseconds}"]);
        }
        await Redis.PipelineAsync(commands, CancellationToken.None);
    }

    internal async Task<List<string>> CompareAsync() => ShopVerifier.Compare(
        await ExpectedShop.ComputeAsync(Postgres, CancellationToken.None), await ShopKeyspace.ReadAsync(Redis, CancellationToken.None));

    static IEnumerable<string[]> Write(string key, ShopValue value) => value switch
    {
        TextValue text => [["SET", key, text.Text]],
        JsonValue json => [["SET", key, json.Json]],
        CounterValue counter => [["SET", key, $"{counter.Count}"]],
        HashValue hash => [["HSET", key, .. hash.Fields.SelectMany(field => (string[])[field.Key, field.Value])]],
        JsonHashValue hash => [["HSET", key, .. hash.Fields.SelectMany(field => (string[])[field.Key, field.Value])]],
        SumsValue sums => sums.Sums.Select(sum => (string[])["HINCRBYFLOAT", key, sum.Key, FormattableString.Invariant($"{sum.Value}")]),
        SetValue set => [["SADD", key, .. set.Members]],
        RankingValue ranking => ranking.Scores.Select(score => (string[])["ZADD", key, FormattableString.Invariant($"{score.Value:R}"), score.Key]),
        StreamValue stream => stream.Entries.Select(entry => (string[])["XADD", key, "*", .. entry.SelectMany(field => (string[])[field.Key, field.Value])]),
        _ => throw new ArgumentException($"No command for {value.GetType().Name}."),
    };
}

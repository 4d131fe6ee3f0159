using System.Text;
using System.Text.Json;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.DeadLetters;
using Sync.Redis;
using Sync.Redis.Connections;
using Sync.Redis.DeadLetters;

namespace Sync.Node.Tests.Commands;

/// <summary>Dead letters by the command line, straight in Redis: no node runs.</summary>
[Collection(NodeCommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class DeadLetterCommandTests(CommandServers servers) : IAsyncLifetime
{
    Workplace place = null!;
    RespConnection redis = null!;
    DeadLetterStore store = null!;

    public async Task InitializeAsync()
    {
        place = (await Workplace.CreateAsync(servers)).Configure();
        redis = await RespConnection.ConnectAsync(
            new RedisConnectionOptions { Host = "127.0.0.1", Port = servers.Redis.Port }, TimeSpan.FromSeconds(10), TimeProvider.System, CancellationToken.None);
        store = new DeadLetterStore(new RedisKeys(place.Slot), TimeProvider.System);
    }

    public async Task DisposeAsync()
    {
        await redis.DisposeAsync();
        place.Dispose();
    }

    [Fact]
    public async Task List_should_be_tab_separated_with_control_characters_made_visible()
    {
        var ids = await ParkAsync(("a\tb\e[31m", "SET", "k", "v"), ("plain", "SET", "k", "v"));
        var ended = await place.RunAsync("dlq", "list");
        ended.Code.ShouldBe(0, ended.Error);
        string[][] lines = [.. ended.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))];
        lines.Select(l => l[0]).ShouldBe(ids);
        lines.ShouldAllBe(l => l.Length == 7);
        lines[0][4].ShouldBe("a\\tb\\u001b[31m");
        lines[1][2].ShouldBe("public.orders");
    }

    [Fact]
    public async Task List_should_page_and_give_json()
    {
        var ids = await ParkAsync(("a", "SET", "k", "v"), ("b", "SET", "k", "v"), ("c", "SET", "k", "v"));
        var first = await place.RunAsync("dlq", "list", "--limit", "2", "--json");
        using var json = JsonDocument.Parse(first.Out);
        json.RootElement.GetProperty("entries").GetArrayLength().ShouldBe(2);
        string next = json.RootElement.GetProperty("next").GetString()!;
        (await place.RunAsync("dlq", "list", "--after", next)).Out.ShouldStartWith(ids[2]);
    }

    [Fact]
    public async Task Show_should_have_the_commands()
    {
        var ids = await ParkAsync(("a", "SET", "k", "two words"));
        var ended = await place.RunAsync("dlq", "show", ids[0]);
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldContain("commands  SET k \"two words\"");
        (await place.RunAsync("dlq", "show", "1-1")).ShouldSay(ExitCode.Usage, "1-1");
    }

    [Fact]
    public async Task Retry_should_apply_in_order_and_report_what_failed_again()
    {
        string good = Unique("good"), bad = Unique("bad");
        await servers.Redis.ExecAsync("SET", bad, "text");
        await ParkAsync((good, "RPUSH", good, "1"), (bad, "RPUSH", bad, "1"), (good, "RPUSH", good, "2"));
        var ended = await place.RunAsync("dlq", "retry");
        ended.Code.ShouldBe((int)ExitCode.CheckFailed, ended.Error);
        ended.Out.ShouldBe("2 applied, 1 key failed again; see actorsync dlq list\n");
        (await servers.Redis.ExecAsync("LRANGE", good, "0", "-1")).ShouldBe(new object?[] { "1", "2" });
        await servers.Redis.ExecAsync("DEL", bad);
        (await place.RunAsync("dlq", "retry", "--key", bad)).Out.ShouldBe("1 applied, 0 keys failed again\n");
        (await place.RunAsync("dlq", "list")).Out.ShouldBeEmpty();
    }

    [Fact]
    public async Task Drop_should_take_one_a_key_or_all()
    {
        var ids = await ParkAsync(("a", "SET", "k", "v"), ("a", "SET", "k", "v"), ("b", "SET", "k", "v"), ("b", "SET", "k", "v"), ("c", "SET", "k", "v"));
        (await place.RunAsync("dlq", "drop", ids[0])).Out.ShouldBe("1 dropped\n");
        (await place.RunAsync("dlq", "drop", "--key", "b")).Out.ShouldBe("2 dropped\n");
        (await place.RunAsync("dlq", "drop", "--all", "--yes")).Out.ShouldBe("2 dropped\n");
        (await store.CountAsync(redis, CancellationToken.None)).ShouldBe(0);
        (await store.LoadParkedKeysAsync(redis, CancellationToken.None)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Retry_and_drop_should_be_refused_while_somebody_works_for_the_slot()
    {
        await ParkAsync(("a", "SET", "k", "v"));
        await using var node = await servers.Postgres.OpenAsync(place.Database);
        await using (var take = new Npgsql.NpgsqlCommand($"select pg_advisory_lock({0x4153594E}, hashtext('{place.Slot}'))", node)) await take.ExecuteNonQueryAsync();
        (await place.RunAsync("dlq", "retry")).ShouldSay(ExitCode.Slot, place.Slot, "in use by process", "--url");
        (await place.RunAsync("dlq", "drop", "--all", "--yes")).ShouldSay(ExitCode.Slot, place.Slot);
        (await place.RunAsync("dlq", "list")).Out.ShouldContain("public.orders");
    }

    string Unique(string name) => $"{name}-{place.Slot}";

    async Task<IReadOnlyList<string>> ParkAsync(params (string Key, string Command, string Target, string Value)[] letters) => await store.ParkAsync(redis, [.. letters.Select((l, i) => new DeadLetter
    {
        Position = new Position(new Lsn(100), (ulong)i),
        Table = "public.orders",
        Kind = ChangeKind.Insert,
        Key = Encoding.UTF8.GetBytes(l.Key),
        Commands = Encoding.UTF8.GetBytes($"*3\r\n${l.Command.Length}\r\n{l.Command}\r\n${l.Target.Length}\r\n{l.Target}\r\n${l.Value.Length}\r\n{l.Value}\r\n"),
        Error = "WRONGTYPE",
        At = DateTimeOffset.UtcNow,
    })], null, CancellationToken.None);
}

using System.Net;
using System.Net.Sockets;
using Sync.Node.Resync;
using Sync.Node.Tests.Resync;
using Sync.Node.Tests.Verification;

namespace Sync.Node.Tests.Hosting;

/// <summary>Names that have to be quoted, and the ways of writing an address.</summary>
[Collection(ServersCollection.Name)]
public class NamesTests(Servers servers)
{
    [Fact]
    public async Task Every_name_should_be_quoted_wherever_it_is_used()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, """
            create schema "Sel""ect.'s";
            create table "Sel""ect.'s"."Ta""b.le's $1"("I""d" int, "order" text, "a.b" text, "c'd\e" text, "$1" int, "x,y" int, primary key ("I""d", "order"));
            alter table "Sel""ect.'s"."Ta""b.le's $1" alter "c'd\e" set storage external;
            insert into "Sel""ect.'s"."Ta""b.le's $1" values (1, 'o''1\', 'copied', repeat('c', 3000), 1, 2);
            """);
        string slot = $"20{pipeline.Slot[..20]}";
        await pipeline.StartNodeAsync(
            """
              - name: '"Sel""ect.''s"."Ta""b.le''s $1"'
                commands: [["HSET", "t:{%pk%}", "{pairs:*}"], ["SET", "j:{%pk%}", "{json:*}"]]
            """,
            edit: yaml => yaml.Replace("pub: pub", """pub: '2025 "Shop".Pub,''s\'""", StringComparison.Ordinal).Replace($"slot: {pipeline.Slot}", $"slot: {slot}", StringComparison.Ordinal));
        await pipeline.SqlAsync("""insert into "Sel""ect.'s"."Ta""b.le's $1" values (2, 'o"2', 'streamed', repeat('d', 3000), 1, 2); update "Sel""ect.'s"."Ta""b.le's $1" set "a.b" = 'later', "x,y" = 3""");
        await pipeline.CaughtUpAsync();
        foreach (var (key, value) in new[] { ("1:o'1\\", new string('c', 3000)), ("2:o\"2", new string('d', 3000)) })
        {
            (await pipeline.HashAsync($"t:{key}")).ShouldBe($"$1=1 I\"d={key[0]} a.b=later c'd\\e={value} order={key[2..]} x,y=3");
            (await pipeline.GetAsync($"j:{key}")).ShouldNotBeNull().ShouldContain(value);
        }
        (await pipeline.VerifyAsync()).ShouldBeClean();
        await pipeline.RedisAsync("DEL", "t:1:o'1\\");
        var resync = await pipeline.ResyncAsync(pipeline.Host.Status.Tables.Single().Table);
        (resync.State, resync.Error, resync.Mended).ShouldBe((ResyncState.Done, "", 1));
        (await pipeline.ScalarAsync($"select count(*) from pg_replication_slots where slot_name = '{slot}' and active")).ShouldBe(1L);
    }

    [Theory]
    [InlineData("127.0.0.1:{0}")]
    [InlineData("localhost:{0}")]
    [InlineData("[::1]:{0}")]
    public async Task Port_may_stand_behind_the_host_in_every_connection(string form)
    {
        if (form.StartsWith('[') && !CanReach(new IPEndPoint(IPAddress.IPv6Loopback, servers.Redis.Port))) form = "127.0.0.1:{0}";
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table t(id int primary key, s text); insert into t values (1, 'copied')");
        await pipeline.StartNodeAsync("  - t", edit: yaml => At(At(yaml, servers.Postgres.Port, form), servers.Redis.Port, form));
        await pipeline.SqlAsync("insert into t values (2, 'streamed')");
        await pipeline.CaughtUpAsync();
        (await pipeline.HashAsync("public.t:1")).ShouldBe("id=1 s=copied");
        (await pipeline.HashAsync("public.t:2")).ShouldBe("id=2 s=streamed");
    }

    [Fact]
    public async Task Folder_of_a_socket_may_carry_the_port()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table t(id int primary key, s text)");
        await pipeline.StartNodeAsync("  - t", edit: yaml => At(yaml, servers.Postgres.Port, servers.Postgres.SocketFolder + ":{0}"));
        await pipeline.SqlAsync("insert into t values (2, 'streamed')");
        await pipeline.CaughtUpAsync();
        (await pipeline.HashAsync("public.t:2")).ShouldBe("id=2 s=streamed");
    }

    /// <summary>A machine may have no IPv6; its servers listen without it then.</summary>
    static bool CanReach(IPEndPoint address)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(address);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    static string At(string yaml, int port, string form) =>
        yaml.Replace($"host: 127.0.0.1, port: {port}", $"host: \"{string.Format(System.Globalization.CultureInfo.InvariantCulture, form, port)}\"", StringComparison.Ordinal);
}

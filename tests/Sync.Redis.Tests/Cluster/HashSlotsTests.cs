using System.Text;
using Sync.Contracts.Configuration;
using Sync.Redis.Cluster;
using Sync.Redis.Protocol;
using Sync.Testing;

namespace Sync.Redis.Tests.Cluster;

public class HashSlotsTests
{
    [Theory]
    [InlineData("123456789", 0x31C3)]
    [InlineData("", 0)]
    [InlineData("foo", 12182)]
    [InlineData("{user1000}.following", 3443)]
    [InlineData("user1000", 3443)]
    [InlineData("foo{}{bar}", 8363)]
    [InlineData("foo{{bar}}zap", 4015)]
    [InlineData("foo{bar}{zap}", 5061)]
    [InlineData("bar", 5061)]
    public void Slots_should_be_those_of_the_specification(string key, int slot) => HashSlots.Of(key).ShouldBe(slot % HashSlots.Count);

    [Fact]
    public async Task Slots_should_be_those_of_a_server()
    {
        using var server = await RedisServer.StartAsync("--cluster-enabled", "yes");
        using var client = await server.ClientAsync();
        var random = new Random(1);
        for (int i = 0; i < 300; i++)
        {
            string key = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => "ab{}é:"[random.Next(6)]));
            HashSlots.Of(key).ShouldBe((int)(long)(await client.CommandAsync("CLUSTER", "KEYSLOT", key))!, key);
        }
    }

    [Fact]
    public void Every_slot_should_have_a_short_tag_of_its_own()
    {
        for (int slot = 0; slot < HashSlots.Count; slot++)
        {
            HashSlots.Of(new RedisKeys("a_slot").ProgressOf(slot)).ShouldBe(slot);
            HashSlots.TagOf(slot).Length.ShouldBeLessThan(7);
        }
    }

    [Fact]
    public void A_slot_map_should_be_read_with_its_gaps()
    {
        var map = SlotMap.Parse(Reply("*2\r\n*3\r\n:0\r\n:99\r\n*3\r\n$9\r\n127.0.0.1\r\n:7000\r\n$1\r\na\r\n*4\r\n:200\r\n:16383\r\n*3\r\n$0\r\n\r\n:7001\r\n$1\r\nb\r\n*3\r\n$1\r\nx\r\n:1\r\n$1\r\nc\r\n"), "host");
        map.Masters.ShouldBe([new HostPort("127.0.0.1", 7000), new HostPort("host", 7001)]);
        (map.OwnerOf(99), map.OwnerOf(100), map.OwnerOf(16383)).ShouldBe((new HostPort("127.0.0.1", 7000), null, new HostPort("host", 7001)));
        map.FirstOf(new HostPort("host", 7001)).ShouldBe(200);
    }

    [Theory]
    [InlineData("*1\r\n*2\r\n:0\r\n:1\r\n")]
    [InlineData("*1\r\n*3\r\n:5\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n")]
    [InlineData("*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n")]
    [InlineData("*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:0\r\n")]
    [InlineData("+OK\r\n")]
    public void Other_answers_should_be_refused(string reply) => Should.Throw<RespProtocolException>(() => SlotMap.Parse(Reply(reply), "host"));

    [Theory]
    [InlineData("MOVED 3999 127.0.0.1:6381", false, 3999, "127.0.0.1:6381")]
    [InlineData("ASK 3999 127.0.0.1:6381", true, 3999, "127.0.0.1:6381")]
    [InlineData("MOVED 3999 :6381", false, 3999, "asked:6381")]
    [InlineData("EXECABORT Transaction discarded because of: MOVED 1 h:1", false, 1, "h:1")]
    [InlineData("MOVED 3999 ?", false, 3999, "")]
    public void Redirections_should_be_read(string error, bool isAsk, int slot, string target)
    {
        var redirect = Redirect.Parse(error, "asked").ShouldNotBeNull();
        (redirect.IsAsk, redirect.Slot, redirect.Target?.ToString() ?? "").ShouldBe((isAsk, slot, target));
    }

    [Theory]
    [InlineData("MOVED")]
    [InlineData("MOVED x 127.0.0.1:1")]
    [InlineData("MOVED 16384 127.0.0.1:1")]
    [InlineData("TRYAGAIN Multiple keys request during rehashing of slot")]
    public void Other_errors_should_be_none(string error) => Redirect.Parse(error, "asked").ShouldBeNull();

    static RespValue Reply(string text)
    {
        var reader = new RespReader(RespLimits.Default);
        ReadOnlySpan<byte> bytes = Encoding.ASCII.GetBytes(text);
        reader.TryRead(ref bytes, out var value).ShouldBeTrue();
        return value;
    }
}

using System.Text;
using Sync.Redis.Protocol;

namespace Sync.Redis.Tests.Protocol;

public class RespReaderTests
{
    const string Sample = "+OK\r\n-ERR no\r\n:-42\r\n$-1\r\n*-1\r\n$0\r\n\r\n$5\r\na\r\nbc\r\n*0\r\n*3\r\n:1\r\n*2\r\n$1\r\nx\r\n+y\r\n$-1\r\n";

    const string SampleText = "OK|(error) ERR no|-42|(nil)|(nil)||a\r\nbc|[]|[1,[x,y],(nil)]";

    [Fact]
    public void Reader_should_read_every_kind_of_reply() => Render(ReadAll(Encoding.ASCII.GetBytes(Sample), int.MaxValue)).ShouldBe(SampleText);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Reader_should_not_care_where_the_bytes_are_cut(int size) =>
        Render(ReadAll(Encoding.ASCII.GetBytes(Sample), size)).ShouldBe(SampleText);

    [Theory]
    [InlineData("hello\r\n")]
    [InlineData("%1\r\n")]
    [InlineData("\r\n")]
    [InlineData("+OK\n")]
    [InlineData(":\r\n")]
    [InlineData(":1x\r\n")]
    [InlineData(":+1\r\n")]
    [InlineData(":99999999999999999999\r\n")]
    [InlineData("$-2\r\n")]
    [InlineData("$999999999999\r\n")]
    [InlineData("$1\r\nab\r\n")]
    [InlineData("$1\r\na\rb")]
    [InlineData("*-2\r\n")]
    [InlineData("*999999999\r\n")]
    [InlineData("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n")]
    public void Reader_should_refuse_what_is_no_RESP2_or_beyond_its_limits(string bytes)
    {
        Should.Throw<RespProtocolException>(() => ReadAll(Encoding.ASCII.GetBytes(bytes), int.MaxValue));
        Should.Throw<RespProtocolException>(() => ReadAll(Encoding.ASCII.GetBytes(bytes), 1));
    }

    [Fact]
    public void Reader_should_refuse_an_endless_line() =>
        Should.Throw<RespProtocolException>(() => ReadAll(Encoding.ASCII.GetBytes("+" + new string('a', 70_000)), 1000));

    [Fact]
    public void Reader_should_not_reserve_memory_for_what_a_reply_only_claims()
    {
        var reader = new RespReader();
        long before = GC.GetAllocatedBytesForCurrentThread();
        ReadOnlySpan<byte> bytes = "*16000000\r\n$500000000\r\nabc"u8;
        reader.TryRead(ref bytes, out _).ShouldBeFalse();
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(100_000);
        reader.InReply.ShouldBeTrue();
    }

    [Fact]
    public void Value_should_refuse_to_be_read_as_another_kind()
    {
        Should.Throw<RespProtocolException>(() => RespValue.Integer(1).Items);
        Should.Throw<RespProtocolException>(() => RespValue.Null.AsInt64());
        Should.Throw<RespProtocolException>(() => RespValue.Array([]).AsString());
        Should.Throw<RespProtocolException>(() => RespValue.Error("x"u8.ToArray()).AsString());
    }

    static List<RespValue> ReadAll(byte[] bytes, int pieceSize)
    {
        var reader = new RespReader();
        var values = new List<RespValue>();
        foreach (byte[] piece in bytes.Chunk(pieceSize))
        {
            ReadOnlySpan<byte> rest = piece;
            while (reader.TryRead(ref rest, out var value)) values.Add(value);
            rest.IsEmpty.ShouldBeTrue();
        }
        return values;
    }

    static string Render(IEnumerable<RespValue> values) => string.Join('|', values.Select(Render));

    static string Render(RespValue value) =>
        value.Kind == RespKind.Array ? $"[{string.Join(',', value.Items.Select(Render))}]" : value.ToString();
}

using System.Text;
using Sync.Contracts.Rows;
using Sync.Engine.Verification;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Verification;

public class StateReadsTests
{
    static readonly Relation Orders = Relation("id/Integer status amount/Numeric email");

    [Theory]
    [InlineData("SET o:{id}|{status}", "GET o:1", "new", "")]
    [InlineData("SET o:{id}|{status}", "GET o:1", "old", "Different: should be new, is old")]
    [InlineData("SET o:{id}|{status}", "GET o:1", "(nil)", "Missing: no such key")]
    [InlineData("SET o:{id}|{status}", "GET o:1", "-WRONGTYPE x", "Different: the key is of another type")]
    [InlineData("SETNX o:{id}|{status}", "TYPE o:1", "string", "")]
    [InlineData("SETNX o:{id}|{status}", "TYPE o:1", "none", "Missing: no such key")]
    [InlineData("HSET o:{id}|{pairs:id,status}", "HGETALL o:1", "status,new,id,1", "")]
    [InlineData("HSET o:{id}|{pairs:id,status}", "HGETALL o:1", "status,new,id,1,more,x", "Extra: field more is x and should not be there")]
    [InlineData("HSET o:{id}|{pairs:id,status}", "HGETALL o:1", "id,2", "Different: field id should be 1, is 2;Missing: field status should be new, is not there")]
    [InlineData("HSET all|{id}|{status}", "HMGET all 1", "new", "")]
    [InlineData("HSET all|{id}|{status}", "HMGET all 1", "(nil)", "Missing: field 1 should be new, is not there")]
    [InlineData("SADD all|{id}", "SISMEMBER all 1", "1", "")]
    [InlineData("SADD all|{id}", "SISMEMBER all 1", "0", "Missing: member 1 is not there")]
    [InlineData("ZADD z|{amount}|{id}", "ZSCORE z 1", "3.5", "")]
    [InlineData("ZADD z|{amount}|{id}", "ZSCORE z 1", "3.4999999999999996", "Different: member 1 should be 3.50, is 3.4999999999999996")]
    [InlineData("ZADD z|-Infinity|{id}", "ZSCORE z 1", "-inf", "")]
    [InlineData("ZADD z|123456789.123456789|{id}", "ZSCORE z 1", "123456789.12345679", "")]
    [InlineData("GEOADD g|13.361389|38.115556|{id}", "GEOPOS g 1", "13.36138933897018433 38.11555639549629859", "")]
    [InlineData("GEOADD g|13.361389|38.115556|{id}", "GEOPOS g 1", "13.3615 38.1155", "Different: member 1 should be \"13.361389 38.115556\", is \"13.3615 38.1155\"")]
    [InlineData("JSON.SET o:{id}|$|{json:id,status,email}", "JSON.GET o:1 $", "[{\"status\":\"new\",\"email\":null,\"id\":1.0}]", "")]
    [InlineData("JSON.SET o:{id}|.|{json:id,status}", "JSON.GET o:1 .", "{\"id\":1,\"status\":\"\\u006eew\"}", "")]
    [InlineData("JSON.SET o:{id}|$|{json:id}", "JSON.GET o:1 $", "[{\"id\":1,\"x\":2}]", "Different: path $ should be \"{\\\"id\\\":1}\", is \"[{\\\"id\\\":1,\\\"x\\\":2}]\"")]
    [InlineData("JSON.SET o:{id}|$|{json:id}", "JSON.GET o:1 $", "-ERR unknown command 'JSON.GET'", "Different: Redis says: ERR unknown command 'JSON.GET'")]
    [InlineData("JSON.MERGE o:{id}|$|{json:id,email}", "JSON.GET o:1 $", "[{\"id\":1,\"other\":2}]", "")]
    [InlineData("JSON.MERGE o:{id}|$|{json:id,email}", "JSON.GET o:1 $", "[{\"id\":1,\"email\":2}]", "Different: path $ should be")]
    public void Replies_should_be_judged(string command, string asks, string reply, string expected)
    {
        var key = Expect(Table(command.Replace(' ', '|').Split('|')));
        StateReads.Commands(key).Select(c => string.Join(' ', c.Select(Encoding.UTF8.GetString))).ShouldBe([asks]);
        string found = Judge(key, reply);
        if (expected.Length > 0 && command.StartsWith("JSON.MERGE", StringComparison.Ordinal)) found.ShouldStartWith(expected);
        else found.ShouldBe(expected);
    }

    [Theory]
    [InlineData("new", "59000", "")]
    [InlineData("(nil)", "-2", "")]
    [InlineData("new", "-1", "Different: should have an end of life, lives for ever")]
    [InlineData("new", "90000", "Different: should live 60000 ms at most, lives 90000 ms")]
    [InlineData("old", "-1", "Different: should be new, is old")]
    public void Life_should_be_judged(string value, string life, string expected)
    {
        var key = Expect(Table(["SETEX", "o:{id}", "60", "{status}"]));
        StateReads.Commands(key).Select(c => Encoding.UTF8.GetString(c[0])).ShouldBe(["GET", "PTTL"]);
        Judge(key, value, life).ShouldBe(expected);
    }

    [Fact]
    public void Long_and_binary_values_should_be_cut_short()
    {
        var key = Expect(Table(["SET", "o:{id}", "{status}"]));
        string words = Judge(key, new string('x', 5000));
        words.Length.ShouldBeLessThan(150);
        words.ShouldContain("(5,000 bytes)");
        Judge(key, "\0").ShouldBe("Different: should be new, is (binary, 1 bytes, 00)");
    }

    static ExpectedKey Expect(Contracts.Configuration.TableConfig table)
    {
        var plan = VerificationPlan.Create(Compile(table, Orders), [], []);
        var (data, cells) = Image(["1", "new", "3.50", null]);
        return plan.Expect(new RowChange { Relation = Orders, Kind = ChangeKind.Insert, New = new RowTuple(data, cells) }).Keys.Single();
    }

    static string Judge(ExpectedKey key, params string[] replies)
    {
        ReadReply[] read = [.. replies.Select(r => r.StartsWith('-') && !char.IsDigit(r[1]) && r != "-inf" ? new ReadReply(r[1..], []) : new ReadReply(null, Items(key, r)))];
        return string.Join(';', StateReads.Compare(key, read).Select(d => $"{d.Kind}: {d.What}"));
    }

    static byte[]?[] Items(ExpectedKey key, string reply) =>
        reply == "(nil)" ? [null] : [.. (key.IsWhole ? reply.Split(',') : [reply]).Select(Encoding.UTF8.GetBytes)];
}

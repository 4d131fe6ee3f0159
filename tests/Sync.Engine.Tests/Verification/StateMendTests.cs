using System.Text;
using Sync.Contracts.Cluster;
using Sync.Contracts.Cluster.Wire;
using Sync.Contracts.Rows;
using Sync.Engine.Verification;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Verification;

public class StateMendTests
{
    static readonly Relation Orders = Relation("id/Integer status amount/Numeric email");

    [Theory]
    [InlineData("SET o:{id}|{status}", "old", "SET o:1 new")]
    [InlineData("SET o:{id}|{status}", "(nil)", "SET o:1 new")]
    [InlineData("SET o:{id}|{status}", "-WRONGTYPE x", "SET o:1 new")]
    [InlineData("SET o:{id}|{status}", "new", "")]
    [InlineData("SETNX o:{id}|{status}", "none", "SET o:1 new")]
    [InlineData("SETNX o:{id}|{status}", "string", "")]
    [InlineData("HSET o:{id}|{pairs:id,status}", "-WRONGTYPE x", "UNLINK o:1;HSET o:1 id 1;HSET o:1 status new")]
    [InlineData("HSET o:{id}|{pairs:id,status}", "id,1,more,x", "HSET o:1 status new;HDEL o:1 more")]
    [InlineData("HSET o:{id}|{pairs:id,status}", "id,1,status,new", "")]
    [InlineData("HSET all|{id}|{status}", "(nil)", "HSET all 1 new")]
    [InlineData("HSET all|{id}|{status}", "-WRONGTYPE x", "")]
    [InlineData("SADD all|{id}", "0", "SADD all 1")]
    [InlineData("ZADD z|{amount}|{id}", "7", "ZADD z 3.50 1")]
    [InlineData("GEOADD g|13.361389|38.115556|{id}", "(nil)", "GEOADD g 13.361389 38.115556 1")]
    [InlineData("JSON.SET o:{id}|$|{json:id}", "[{\"id\":2}]", "JSON.SET o:1 $ {\"id\":1}")]
    [InlineData("JSON.MERGE o:{id}|$|{json:id,email}", "[{\"id\":1,\"email\":2}]", "JSON.MERGE o:1 $ {\"id\":1,\"email\":null}")]
    public void Commands_should_give_the_key_what_the_row_says_here_and_in_a_lane(string command, string reply, string expected)
    {
        Mend(Expect(command), reply).ShouldBe(expected);
        Mend(Expect(command, travels: true), reply).ShouldBe(expected);
    }

    [Theory]
    [InlineData("SETEX o:{id}|60|{status}", "old", "-1", "SET o:1 new PX 60000")]
    [InlineData("SETEX o:{id}|60|{status}", "new", "-1", "SET o:1 new PX 60000")]
    [InlineData("SETEX o:{id}|60|{status}", "(nil)", "-2", "")]
    public void Lives_should_be_kept_and_ended(string command, string reply, string life, string expected)
    {
        Mend(Expect(command), reply, life).ShouldBe(expected);
        Mend(Expect(command, travels: true), reply, life).ShouldBe(expected);
    }

    [Fact]
    public void A_key_that_may_have_ended_should_come_back_when_insisted_on()
    {
        Mend(Expect("SETEX o:{id}|60|{status}", insists: true), "(nil)", "-2").ShouldBe("SET o:1 new PX 60000");
        Mend(Expect("SETEX o:{id}|60|{status}", insists: true, travels: true), "(nil)", "-2").ShouldBe("SET o:1 new PX 60000");
    }

    [Fact]
    public void A_hash_of_one_row_that_only_lacks_its_end_of_life_should_keep_its_fields()
    {
        var key = Expect("HSET o:{id}|{pairs:id}", "EXPIRE o:{id}|60");
        Mend(key, "id,1,counted,5", "-1").ShouldBe("HDEL o:1 counted;PEXPIRE o:1 60000");
        Mend(key, "id,1", "-1").ShouldBe("PEXPIRE o:1 60000");
    }

    static ExpectedKey Expect(string command, string? second = null, bool insists = false, bool travels = false)
    {
        string[][] commands = [.. new[] { command, second }.OfType<string>().Select(c => c.Replace(' ', '|').Split('|'))];
        var plan = VerificationPlan.Create(Compile(Table(commands), Orders), [], []);
        var (data, cells) = Image(["1", "new", "3.50", null]);
        var row = plan.Expect(new RowChange { Relation = Orders, Kind = ChangeKind.Insert, New = new RowTuple(data, cells) }, insists);
        return travels ? Travelled(row, plan) : row.Keys.Single();
    }

    static string Mend(ExpectedKey key, params string[] replies)
    {
        ReadReply[] read = [.. replies.Select(r => r.StartsWith("-W", StringComparison.Ordinal) ? new ReadReply(r[1..], []) : new ReadReply(null, Items(key, r)))];
        return string.Join(';', StateMend.Commands(key, StateReads.Compare(key, read)).Select(c => string.Join(' ', c.Select(Encoding.UTF8.GetString))));
    }

    /// <summary>The key as a lane gets it.</summary>
    static ExpectedKey Travelled(RowExpectation row, VerificationPlan plan) =>
        RowStates.Expected(((RowState)ClusterWire.FromBytes("rs", ClusterWire.ToBytes(RowStates.Of(row, plan)).Bytes)).Keys.Single());

    static byte[]?[] Items(ExpectedKey key, string reply) =>
        reply == "(nil)" ? [null] : [.. (key.IsWhole && reply.Contains(',') ? reply.Split(',') : [reply]).Select(Encoding.UTF8.GetBytes)];
}

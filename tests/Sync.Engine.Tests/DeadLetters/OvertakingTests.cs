using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Resp;
using Sync.Engine.Retry;

namespace Sync.Engine.DeadLetters;

public class OvertakingTests
{
    static readonly FlightFilter Filter = new(["t"]);

    /// <summary>Each text is a change set of commands separated by commas; a command with an exclamation mark was refused. Returns which of the refused are overtaken.</summary>
    static int[] Overtaken(params string[] changes)
    {
        var batch = new Batch();
        var failures = new List<CommandFailure>();
        for (int i = 0; i < changes.Length; i++)
        {
            var writer = new RespWriter();
            string[] commands = changes[i].Split(", ");
            for (int c = 0; c < commands.Length; c++)
            {
                if (commands[c][0] == '!') failures.Add(new CommandFailure(0, i, c, "WRONGTYPE", FailureClass.Poison));
                string[] words = commands[c].TrimStart('!').Split(' ');
                writer.ArrayHeader(words.Length);
                foreach (string word in words) writer.Bulk(word);
            }
            batch.Add(i, new Position(new Lsn(9), (ulong)i), writer.Written, commands.Length, "k"u8, 0, ChangeKind.Insert, 0);
        }
        return [.. Filter.Failed([batch], failures, RedisLimits.Default, DateTimeOffset.UnixEpoch).Where(l => l.IsOvertaken).Select(l => (int)l.Position.Step)];
    }

    [Fact]
    public void A_change_should_be_overtaken_when_a_later_command_on_its_key_was_applied()
    {
        Overtaken("!HSET a f 1", "DEL a").ShouldBe([0]);
        Overtaken("!HSET a f 1", "!HSET a f 2", "SET a x", "!HSET a f 3").ShouldBe([0, 1]);
        Overtaken("!HSET a f 1, DEL b a").ShouldBe([0], "by a command of its own change set");
    }

    [Fact]
    public void A_change_should_not_be_overtaken_by_other_keys_or_earlier_commands()
    {
        Overtaken("DEL a", "!HSET a f 1", "INCRBY b 1").ShouldBeEmpty();
        Overtaken("!RPUSH a 1, INCRBY n 1", "!RPUSH a 2, INCRBY n 2").ShouldBeEmpty();
        Overtaken("!HSET a b 1", "SET b 1").ShouldBeEmpty("b is a field there, not a key");
    }

    [Theory]
    [InlineData("!HSET a f 1", "HSET a f 2", true)]
    [InlineData("!HSET a f 1", "HSET a g 2", false)]
    [InlineData("!HSET a f 1 g 1", "HSET a g 2", true)]
    [InlineData("!HSET a f 1", "HDEL a f", true)]
    [InlineData("!HSET a f 1", "HINCRBY a f 2", false)]
    [InlineData("!HINCRBY a f 1", "HSET a f 2", true)]
    [InlineData("!HINCRBY a f 1", "HINCRBY a f 2", false)]
    [InlineData("!INCRBY a 1", "INCRBY a 2", false)]
    [InlineData("!INCRBY a 1", "SET a 2", true)]
    [InlineData("!INCRBY a 1", "set a 2", true)]
    [InlineData("!INCRBY a 1", "SET a 2 NX", false)]
    [InlineData("!INCRBY a 1", "EXPIRE a 2", false)]
    [InlineData("!SET a 1 WRONG", "APPEND a 2", false)]
    [InlineData("!ZADD a x m", "ZADD a 1 n", false)]
    [InlineData("!ZADD a x m", "ZADD a 1 n 2 m", true)]
    [InlineData("!ZADD a x m", "ZADD a CH 2 m", true)]
    [InlineData("!ZADD a x m", "ZADD a INCR 2 m", false)]
    [InlineData("!ZADD a x m", "ZINCRBY a 2 m", false)]
    [InlineData("!ZADD a x m", "ZREM a m", true)]
    [InlineData("!ZINCRBY a x m", "ZADD a 1 m", true)]
    [InlineData("!SADD a m", "SADD a n", false)]
    [InlineData("!SADD a m", "SREM a m", true)]
    [InlineData("!SREM a m", "SADD a m", true)]
    [InlineData("!RPUSH a m", "LPUSH a m", false)]
    [InlineData("!RPUSH a m", "UNLINK b a", true)]
    [InlineData("!XADD a * f 1", "XADD a * f 2", false)]
    [InlineData("!GEOADD a 200 0 m", "GEOADD a 1 2 n 3 4 m", true)]
    [InlineData("!GEOADD a 200 0 m", "GEOADD a 1 2 n", false)]
    [InlineData("!SET a 1 WRONG", "HSET a f 1", true)]
    [InlineData("!JSON.SET a $.x 1", "JSON.SET a $.y 1", false)]
    [InlineData("!JSON.SET a $.x 1", "JSON.SET a $ 1", true)]
    [InlineData("!INCRBY a 1", "PUBLISH a 2", false)]
    [InlineData("!MSET b 1 a 1", "MSET a 2 c 3", true)]
    public void Only_what_replaces_the_same_place_should_overtake(string refused, string later, bool isOvertaken)
    {
        Overtaken(refused, later).ShouldBe(isOvertaken ? [0] : []);
        Overtaken(later.TrimStart('!'), refused).ShouldBeEmpty("it came before");
    }
}

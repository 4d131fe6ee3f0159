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
}

using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Redis.Cluster;
using Sync.Redis.Protocol;

namespace Sync.Redis.Tests.Cluster;

public class SlotGroupsTests
{
    static readonly Position At = new(new Lsn(100), 2);

    [Fact]
    public void A_flight_should_be_split_by_slot_in_its_order()
    {
        var first = Batch("SET foo 1|SET bar 2", "SET foo 3");
        var second = Batch("DEL {foo}x bar {foo}y", "MSET foo a bar b {foo}z c", "PUBLISH news hello");
        var groups = SlotGroups.Split([first, second]);
        Text(groups[HashSlots.Of("foo")]).ShouldBe("0.0.0 SET foo 1;0.1.0 SET foo 3;1.0.0 DEL {foo}x {foo}y;1.1.0 MSET foo a {foo}z c");
        Text(groups[HashSlots.Of("bar")]).ShouldBe("0.0.1 SET bar 2;1.0.0 DEL bar;1.1.0 MSET bar b");
        Text(groups[HashSlots.Of("news")]).ShouldBe("1.2.0 PUBLISH news hello");
        groups.Count.ShouldBe(3);
    }

    [Fact]
    public void Commands_whose_keys_stay_together_should_stay_whole() =>
        SlotGroups.Commands(Commands("DEL a{x} b{x}|MSET {x}1 1 {x}2 2")).Select(c => Words(c.Bytes)).ShouldBe(["DEL a{x} b{x}", "MSET {x}1 1 {x}2 2"]);

    [Fact]
    public void What_a_slot_has_should_be_left_out_of_a_replay()
    {
        int foo = HashSlots.Of("foo"), bar = HashSlots.Of("bar");
        var later = At with { Step = 8 };
        var letter = new DeadLetter { Position = later, Table = "t", Kind = ChangeKind.Insert, Key = "k"u8.ToArray(), Commands = Commands("SET bar 2|SET foo 2"), Error = "", At = default };
        var held = new ClusterPositions(new Dictionary<int, List<(int, int, Position)>> { [foo] = [(4, 1, At)] }, new HashSet<(int, Position)> { (bar, At) }, Lsn.None);
        var replay = new SlotReplay(held, [letter], Position.None);
        (replay.Highest, replay.IsParked(later), replay.IsParked(At)).ShouldBe((later, true, false));
        Rest(replay, lane: 5, At, "SET foo 1|SET new 2").ShouldBe("1 SET new 2");
        Rest(replay, lane: 5, At, "SET foo 1|SET bar 2").ShouldBe("0 ", "the second was retried from the dead letters");
        Rest(replay, lane: 5, later, "SET foo 1|SET bar 2|SET foo 2|SET bar 2").ShouldBe("2 SET foo 1;SET bar 2", "two of them wait in the dead letters");
        Rest(replay, lane: 5, At with { Step = 3 }, "SET foo 1|SET bar 2").ShouldBe("2 SET foo 1;SET bar 2");
        Rest(replay, lane: 6, At, "SET foo 1").ShouldBe("1 SET foo 1", "another worker's");
        Rest(replay, lane: 5, At, "DEL foo new").ShouldBe("1 DEL new");
        Rest(replay, lane: 5, At, "SET foo 1").ShouldBe("0 ");
    }

    static string Rest(SlotReplay replay, int lane, Position position, string commands)
    {
        var rest = replay.Rest(lane, position, Commands(commands), out int count);
        return $"{count} {string.Join(';', SlotGroups.Commands(rest.ToArray()).Select(c => Words(c.Bytes)))}";
    }

    static Batch Batch(params string[] changes)
    {
        var batch = new Batch();
        foreach (string change in changes) batch.Add(1, At, Commands(change), change.Split('|').Length, "k"u8, 0, ChangeKind.Insert, 0);
        return batch;
    }

    static byte[] Commands(string text)
    {
        var commands = new RespCommands();
        foreach (string command in text.Split('|')) commands.Add([.. command.Split(' ').Select(a => (RedisArgument)a)]);
        return commands.Bytes.ToArray();
    }

    static string Text(IEnumerable<SlotCommand> group) => string.Join(';', group.Select(c => $"{c.Batch}.{c.Entry}.{c.Command} {Words(c.Bytes)}"));

    static string Words(ReadOnlyMemory<byte> command)
    {
        var reader = new CommandReader(command.Span);
        reader.TryReadCommand(out int count);
        var words = new List<string>();
        for (int i = 0; i < count; i++) words.Add(Encoding.UTF8.GetString(reader.ReadArgument()));
        return string.Join(' ', words);
    }
}

using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;

namespace Sync.Engine.Tests.DeadLetters;

public class ParkedKeysTests
{
    static byte[] Key(string text) => Encoding.UTF8.GetBytes(text);

    [Fact]
    public void Keys_should_be_taken_back_until_they_are_kept()
    {
        var parked = new ParkedKeys();
        parked.Add(Key("a"));
        parked.Keep();
        parked.Add(Key("b"));
        parked.Add(Key("a"));
        parked.Undo();
        parked.Contains(Key("a")).ShouldBeTrue();
        parked.Contains(Key("b")).ShouldBeFalse();
        parked.Add(Key("b"));
        parked.Keep();
        parked.Undo();
        parked.Contains(Key("b")).ShouldBeTrue();
        parked.Count.ShouldBe(2);
    }

    [Fact]
    public void Another_attempt_of_a_flight_should_hold_what_the_first_one_held()
    {
        var filter = new FlightFilter(["public.t"]);
        var parked = new ParkedKeys();
        var batch = new Batch();
        batch.Add(1, new Position(new Lsn(1), 0), "*1\r\n$4\r\nPING\r\n"u8, 1, Key("k"), 0, ChangeKind.Insert, 0);
        batch.AddPoison(2, new Position(new Lsn(1), 2), Key("k"), 0, ChangeKind.Update, 0, "a NULL in the key");
        batch.Add(3, new Position(new Lsn(1), 4), "*1\r\n$4\r\nPING\r\n"u8, 1, Key("k"), 0, ChangeKind.Update, 0);
        for (int attempt = 1; attempt <= 2; attempt++)
        {
            parked.Undo();
            List<Batch> flight = [batch];
            var held = filter.TakeHeld(flight, parked, RedisLimits.Default, DateTimeOffset.UnixEpoch);
            flight[0].Count.ShouldBe(1, $"attempt {attempt}: what came before the poison goes out");
            held.Select(l => l.Error).ShouldBe(["a NULL in the key", "waits behind an earlier change of its key"]);
        }
    }
}

using Sync.Actors.Lanes;
using Sync.Actors.Ports;
using Sync.Actors.Reading;
using Sync.Actors.Tests.Support;
using Sync.Actors.Writing;
using Sync.Contracts.Configuration;
using Sync.Engine.Lanes;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Delivery;

/// <summary>
/// Real readers, lanes, keys and writers around a region that loses, doubles and delays, while lanes are killed, moved and owned twice, writers crash before
/// and behind their transactions, and the reader is replaced. Threads make each run its own; the seed tells what was asked of it.
/// </summary>
[Trait("Speed", "Slow")]
public sealed class LossyDeliveryTests(ITestOutputHelper output) : ActorTest(output)
{
    const int lanes = 6, keysPerLane = 3, rows = 3000;

    static readonly RetryOptions quick = new() { InitialBackoff = TimeSpan.FromMilliseconds(5), MaxBackoff = TimeSpan.FromMilliseconds(40) };

    readonly ITestOutputHelper output = output;

    public static TheoryData<int> Seeds => [1, 2, 3, 4, 5, Environment.TickCount & 0xFFFF];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Rows_should_reach_redis_once_and_in_the_order_of_their_key(int seed)
    {
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        List<(int Lane, string Key)> all = [.. Enumerable.Range(0, rows).Select(_ =>
        {
            int lane = random.Next(lanes);
            // A hot key in each lane, so that key actors come and go.
            return (lane, $"{lane}:{(random.Next(2) == 0 ? 0 : random.Next(keysPerLane))}");
        })];
        var slot = new FakeSlot(all, lanes, seed);
        Troubles(random);
        var context = Context(
            new LaneOptions
            {
                Lanes = lanes,
                KeyActorFrom = 2,
                Credit = 4000,
                Drain = TimeSpan.FromSeconds(2),
                KeyIdle = TimeSpan.FromMilliseconds(20),
                Takeover = quick,
                AnswerPause = TimeSpan.FromMilliseconds(5),
                Flight = new LaneFlightLimits(20, 2000),
            },
            Sys.ActorOf(Props.Create(() => new RedisWriterPool(Redis, new WriterOptions { Writers = 2, Restart = quick }, this, TimeProvider.System))));
        var region = Sys.ActorOf(Props.Create(() => new LossyRegion(context, seed, new Loss(5, 5, 20))));
        var options = new ReaderOptions
        {
            Lanes = lanes,
            Budget = 12_000,
            Ahead = 500,
            Restart = quick,
            Look = TimeSpan.FromMilliseconds(10),
            MessageBytes = 400,
            Sender = new LaneSenderOptions(TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(5), 1000),
        };
        var reader = StartReader(slot, region, options);
        int troubles = 0;
        for (; !slot.Done.IsCompleted && troubles < 200; troubles++)
        {
            await Task.WhenAny(slot.Done, Task.Delay(random.Next(1, 20)));
            int lane = random.Next(lanes);
            switch (random.Next(12))
            {
                case 0 or 1: region.Tell(new KillLane(lane)); break;
                case 2 or 3 or 4: region.Tell(new MoveLane(lane)); break;
                case 5 or 6: region.Tell(new SplitLane(lane)); break;
                case 7 when troubles % 4 == 0:
                    Sys.Stop(reader);
                    reader = StartReader(slot, region, options);
                    break;
            }
        }
        await slot.Done.WaitAsync(TimeSpan.FromSeconds(60));
        output.WriteLine($"{troubles} troubles, {slot.Epochs} readers, {Redis.Writers} writers, {slot.Handed} rows handed over");
        foreach (var key in all.Select((row, i) => (row.Key, Number: i + 1)).GroupBy(row => row.Key))
            Redis.Written(key.Key).ShouldBe(key.Select(row => row.Number), $"{key.Key}, seed {seed}");
    }

    void Troubles(Random random)
    {
        int Chance()
        {
            lock (random) return random.Next(100);
        }
        async Task TroubleAsync(string what)
        {
            int chance = Chance();
            if (chance < 10) await Task.Delay(chance);
            if (chance < 2) throw new InvalidOperationException(what);
        }
        Redis.BeforeWrite = _ => TroubleAsync("The writer crashes before its transaction.");
        Redis.AfterWrite = _ => TroubleAsync("The writer crashes behind its transaction.");
        Redis.BeforeTake = _ => TroubleAsync("Redis is away.");
    }

    IActorRef StartReader(ILaneSourceFactory slot, IActorRef region, ReaderOptions options) =>
        Sys.ActorOf(Props.Create(() => new ReplicationReaderActor(slot, region, options, this, TimeProvider.System, null)));
}

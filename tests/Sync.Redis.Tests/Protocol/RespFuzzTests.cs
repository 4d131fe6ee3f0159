using System.Globalization;
using System.Text;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;
using Xunit.Abstractions;

namespace Sync.Redis.Tests.Protocol;

/// <summary>
/// Random and mutated replies in random pieces. ACTORSYNC_FUZZ_COUNT sets how many (default 200,000), ACTORSYNC_FUZZ_SEED
/// repeats a run.
/// </summary>
public class RespFuzzTests(ITestOutputHelper output)
{
    const long AllocationFloor = 200_000;
    const long AllocationPerByte = 100;

    static readonly string[] Seeds =
    [
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n",
        "+OK\r\n-ERR unknown command\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of previous errors.\r\n",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$15\r\n1526919030474-55\r\n*2\r\n$-1\r\n*1\r\n$3\r\na\r\n\r\n",
        "$-1\r\n*-1\r\n$0\r\n\r\n:9223372036854775807\r\n*3\r\n*0\r\n*1\r\n*1\r\n+x\r\n-WRONGTYPE x\r\n",
    ];

    static readonly string[] Fragments = ["\r\n", "\n", "\r", "*", "$", ":", "+", "-", "$-1\r\n", "*-1\r\n", "*1\r\n", "$3\r\n", "99999999", "-", "0", "\0", "+QUEUED\r\n", "é"];

    [Fact]
    public void Readers_should_survive_any_bytes()
    {
        int count = Setting("ACTORSYNC_FUZZ_COUNT", 1_000_000);
        int seed = Setting("ACTORSYNC_FUZZ_SEED", Random.Shared.Next());
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        int refused = 0;
        int read = 0;
        for (int i = 0; i < count; i++)
        {
            byte[] input = Input(random);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Count(TryReader(input, random), ref read, ref refused);
            Count(TryScanner(input, random), ref read, ref refused);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            allocated.ShouldBeLessThan(AllocationFloor + AllocationPerByte * input.Length, $"seed {seed}, input {i}: {Convert.ToHexString(input)}");
        }
        // A generator that makes only good or only bad inputs would prove nothing.
        read.ShouldBeGreaterThan(count / 20);
        refused.ShouldBeGreaterThan(count / 20);
    }

    static void Count(bool good, ref int read, ref int refused)
    {
        if (good) read++;
        else refused++;
    }

    static bool TryReader(byte[] input, Random random)
    {
        var reader = new RespReader();
        try
        {
            foreach (var piece in Pieces(input, random))
            {
                var rest = piece.Span;
                while (reader.TryRead(ref rest, out _)) { }
                rest.IsEmpty.ShouldBeTrue();
            }
            return true;
        }
        catch (RespProtocolException)
        {
            return false;
        }
    }

    static bool TryScanner(byte[] input, Random random)
    {
        var replies = new FlightReplies();
        replies.Begin(random.Next(1, 4), renewed: random.Next(2) == 0);
        try
        {
            foreach (var piece in Pieces(input, random))
            {
                bool done = replies.Feed(piece.Span, out int used);
                used.ShouldBeInRange(0, piece.Length);
                if (done) return true;
                used.ShouldBe(piece.Length);
            }
            return true;
        }
        catch (RespProtocolException)
        {
            return false;
        }
    }

    static IEnumerable<ReadOnlyMemory<byte>> Pieces(byte[] input, Random random)
    {
        for (int at = 0; at < input.Length;)
        {
            int size = Math.Min(input.Length - at, random.Next(1, 40));
            yield return input.AsMemory(at, size);
            at += size;
        }
    }

    static byte[] Input(Random random)
    {
        var bytes = new List<byte>();
        if (random.Next(4) == 0)
            for (int parts = random.Next(1, 30); parts > 0; parts--) bytes.AddRange(Encoding.UTF8.GetBytes(Fragments[random.Next(Fragments.Length)]));
        else
            bytes.AddRange(Encoding.ASCII.GetBytes(Seeds[random.Next(Seeds.Length)]));
        for (int mutations = random.Next(4); mutations > 0 && bytes.Count > 0; mutations--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(4))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes.RemoveAt(at); break;
                case 2: bytes.InsertRange(at, Encoding.UTF8.GetBytes(Fragments[random.Next(Fragments.Length)])); break;
                default: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            }
        }
        return [.. bytes];
    }

    static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}

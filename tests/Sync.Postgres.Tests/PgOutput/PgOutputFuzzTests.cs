using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Tests.PgOutput;

/// <summary>One good message of every kind and form.</summary>
static class Samples
{
    static readonly byte[] Table =
        MessageBuilder.Relation(16400, "public", "orders", 'd', ("id", 20, true), ("note", 25, false), ("body", 25, false));

    public static readonly byte[][] All =
    [
        Table,
        MessageBuilder.Relation(16401, "", "", 'f'),
        MessageBuilder.Of('B').Int64(1).Int64(2).Int32(3).Build(),
        MessageBuilder.Of('C').Byte(0).Int64(1).Int64(2).Int64(3).Build(),
        MessageBuilder.Of('O').Int64(1).Text("upstream").Build(),
        MessageBuilder.Of('Y').Int32(16390).Text("public").Text("mood").Build(),
        MessageBuilder.Of('I').Int32(16400).Tuple('N', "7", "", null).Build(),
        MessageBuilder.Of('U').Int32(16400).Tuple('N', "7", "a note", MessageBuilder.Unchanged).Build(),
        MessageBuilder.Of('U').Int32(16400).Tuple('K', "7", null, null).Tuple('N', "8", "a", "b").Build(),
        MessageBuilder.Of('U').Int32(16400).Tuple('O', "7", null, "b").Tuple('N', "8", "a", MessageBuilder.Unchanged).Build(),
        MessageBuilder.Of('D').Int32(16400).Tuple('K', "7", null, null).Build(),
        MessageBuilder.Of('D').Int32(16400).Tuple('O', "7", null, "b").Build(),
        MessageBuilder.Of('T').Int32(2).Byte(1).Int32(16400).Int32(16401).Build(),
        MessageBuilder.Of('M').Byte(1).Int64(5).Text("prefix").Int32(3).Bytes([1, 2, 3]).Build(),
    ];

    public static PgOutputDecoder Decoder()
    {
        var decoder = new PgOutputDecoder();
        decoder.Decode(Table);
        return decoder;
    }
}

public class PgOutputFuzzTests
{
    /// <summary>ACTORSYNC_FUZZ sets the number of inputs, ACTORSYNC_FUZZ_SEED replays a run.</summary>
    static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    [Fact]
    public void Mutated_messages_should_decode_or_fail_by_the_typed_error_with_bounded_memory()
    {
        int inputs = Setting("ACTORSYNC_FUZZ", 1_000_000), seed = Setting("ACTORSYNC_FUZZ_SEED", 20261121);
        var random = new Random(seed);
        var decoder = Samples.Decoder();
        int decoded = 0, refused = 0;
        byte[] input = [];
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < inputs; i++)
        {
            // Descriptions are kept per table, so that a fresh decoder now and then keeps the run's own memory flat.
            if (i % 1000 == 0) decoder = Samples.Decoder();
            input = Mutate(random, Samples.All[random.Next(Samples.All.Length)]);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                decoder.Decode(input);
                Touch(decoder, input);
                decoded++;
            }
            catch (PgOutputException)
            {
                refused++;
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"Seed {seed}, input {i}: {Convert.ToHexString(input)}", error);
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            allocated.ShouldBeLessThan(64 * 1024 + 64L * input.Length, $"Seed {seed}, input {i}: {Convert.ToHexString(input)}");
        }
        // Both ways must have been walked, or the mutations are too weak or too strong to say anything.
        decoded.ShouldBeGreaterThan(inputs / 20);
        refused.ShouldBeGreaterThan(inputs / 20);
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromMinutes(2) * Math.Max(1, inputs / 1_000_000));
    }

    static void Touch(PgOutputDecoder decoder, byte[] input)
    {
        int bytes = decoder.MessagePrefix(input).Length + decoder.MessageContent(input).Length;
        for (int column = 0; column < 4; column++)
            bytes += decoder.New(input).Value(column).Length + decoder.Old(input).Value(column).Length;
        if (bytes > 2 * input.Length) throw new InvalidOperationException("Values overlap.");
    }

    static byte[] Mutate(Random random, byte[] sample)
    {
        byte[] bytes = [.. sample];
        for (int times = random.Next(1, 4); times > 0 && bytes.Length > 0; times--)
        {
            int at = random.Next(bytes.Length);
            switch (random.Next(7))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes = bytes[..at]; break;
                case 3: bytes = [.. bytes[..at], (byte)random.Next(256), .. bytes[at..]]; break;
                case 4: bytes = [.. bytes[..at], .. bytes[(at + 1)..]]; break;
                case 5:
                    if (bytes.Length >= 5)
                        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(random.Next(bytes.Length - 4)), Extreme(random));
                    break;
                default:
                    byte[] other = Samples.All[random.Next(Samples.All.Length)];
                    bytes = [.. bytes[..at], .. other[random.Next(other.Length)..]];
                    break;
            }
        }
        return bytes;
    }

    static int Extreme(Random random) => random.Next(6) switch
    {
        0 => int.MaxValue,
        1 => int.MinValue,
        2 => -1,
        3 => 0x7FFF_0000,
        4 => random.Next(),
        _ => random.Next(16),
    };
}

using Sync.Postgres.PgOutput;
using Sync.Postgres.Wire;

namespace Sync.Postgres.Tests.Wire;

public class WireBufferTests
{
    [Fact]
    public async Task Messages_should_come_out_whole_however_they_arrive()
    {
        var random = new Random(7);
        for (int round = 0; round < 50; round++)
        {
            byte[][] bodies = [.. Enumerable.Range(0, 200).Select(_ => NewBody(random))];
            var buffer = new WireBuffer(new TornStream([.. bodies.SelectMany(b => WireConnection.Message('d', b))], random), socket: null);
            foreach (byte[] expected in bodies)
            {
                byte type;
                ReadOnlyMemory<byte> body;
                while (!buffer.TryTake(out type, out body))
                {
                    int count = await buffer.FillAsync();
                    count.ShouldBeGreaterThan(0);
                    buffer.Filled(count);
                }
                type.ShouldBe((byte)'d');
                body.Span.SequenceEqual(expected).ShouldBeTrue();
            }
            (await buffer.FillAsync()).ShouldBe(0);
        }
    }

    /// <summary>Mostly small ones; now and then one that does not fit the usual buffer.</summary>
    static byte[] NewBody(Random random)
    {
        byte[] body = new byte[random.Next(100) switch { 0 => 600_000, < 10 => random.Next(70_000), _ => random.Next(300) }];
        random.NextBytes(body);
        return body;
    }

    [Theory]
    [InlineData(3)]
    [InlineData(0)]
    [InlineData(-1)]
    public async Task A_length_that_can_t_be_should_be_refused(int length)
    {
        var buffer = new WireBuffer(new MemoryStream([(byte)'d', (byte)(length >> 24), (byte)(length >> 16), (byte)(length >> 8), (byte)length, 0]), socket: null);
        buffer.Filled(await buffer.FillAsync());
        Should.Throw<PgOutputException>(() => buffer.TryTake(out _, out _));
    }

    /// <summary>Gives what it holds in pieces of any size.</summary>
    sealed class TornStream(byte[] content, Random random) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> target, CancellationToken cancellationToken = default)
        {
            int piece = random.Next(4) == 0 ? random.Next(1, 8) : random.Next(1, 100_000);
            return base.ReadAsync(target[..Math.Min(piece, target.Length)], cancellationToken);
        }
    }
}

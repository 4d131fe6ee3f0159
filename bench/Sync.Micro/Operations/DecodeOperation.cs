using Sync.Postgres.PgOutput;

namespace Sync.Micro.Operations;

/// <summary>pgoutput's bytes to cells.</summary>
sealed class DecodeOperation : Operation
{
    readonly PgOutputDecoder decoder = new();
    readonly byte[][] messages = [.. Enumerable.Range(0, Rows).Select(Messages.Row)];

    public DecodeOperation() => decoder.Decode(Messages.Relation());

    public override long Run()
    {
        long sum = 0;
        foreach (byte[] message in messages)
            sum += decoder.Decode(message) == PgOutputMessageKind.Delete ? decoder.Old(message).Value(0).Length : decoder.New(message).Value(1).Length;
        return sum;
    }
}

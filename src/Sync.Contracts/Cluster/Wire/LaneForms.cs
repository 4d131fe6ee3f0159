using Google.Protobuf;

namespace Sync.Contracts.Cluster.Wire;

/// <summary>The forms of what reader and lanes say to each other.</summary>
static class LaneForms
{
    public static LaneBatchProto Write(LaneBatch message) => new()
    {
        Lane = message.Lane,
        Epoch = message.Epoch,
        Seq = message.Seq,
        OldestUnacked = message.OldestUnacked,
        Rows = RowColumns.Write(message.Rows),
        Since = message.Since,
    };

    public static LaneBatch Read(LaneBatchProto form) => new(form.Lane, form.Epoch, form.Seq, form.OldestUnacked, RowColumns.Read(form.Rows)) { Since = form.Since };

    public static LaneAckProto Write(LaneAck message) => new()
    {
        Lane = message.Lane,
        Epoch = message.Epoch,
        Claim = message.Claim,
        Seq = message.Seq,
        Expected = message.Expected,
        Position = Write(message.Position),
        Credit = message.Credit,
        Answers = message.Answers,
    };

    public static LaneAck Read(LaneAckProto form) => new(form.Lane, form.Epoch, form.Claim, form.Seq, form.Expected, Read(form.Position), form.Credit, form.Answers);

    public static LaneResumeProto Write(LaneResume message) =>
        new() { Lane = message.Lane, Epoch = message.Epoch, Claim = message.Claim, Expected = message.Expected, Credit = message.Credit };

    public static LaneResume Read(LaneResumeProto form) => new(form.Lane, form.Epoch, form.Claim, form.Expected, form.Credit);

    public static ReaderHelloProto Write(ReaderHello message) => new() { Epoch = message.Epoch, Node = message.Node };

    public static ReaderHello Read(ReaderHelloProto form) => new(form.Epoch, form.Node);

    public static LaneDrainProto Write(LaneDrain message) => new() { Lane = message.Lane };

    public static LaneDrain Read(LaneDrainProto form) => new(form.Lane);

    public static LaneDrainedProto Write(LaneDrained message) =>
        new() { Lane = message.Lane, Epoch = message.Epoch, Claim = message.Claim, Seq = message.Seq, Position = Write(message.Position) };

    public static LaneDrained Read(LaneDrainedProto form) => new(form.Lane, form.Epoch, form.Claim, form.Seq, Read(form.Position));

    /// <summary>A block of bytes that will not change, without a copy.</summary>
    public static ByteString Wrap(ReadOnlyMemory<byte> bytes) => UnsafeByteOperations.UnsafeWrap(bytes);

    static PositionProto Write(Position position) => new() { Commit = position.Commit.Value, Step = position.Step };

    static Position Read(PositionProto? form) => form is null ? Position.None : new Position(new Lsn(form.Commit), form.Step);
}

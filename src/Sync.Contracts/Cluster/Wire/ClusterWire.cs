using Google.Protobuf;

namespace Sync.Contracts.Cluster.Wire;

/// <summary>
/// The form that cluster messages have on the wire and in the journal: a short manifest that names the type, and protobuf. The rules of change stand at
/// the head of <c>lanes.proto</c>. Manifests are never renamed, nor used again. Thread-safe.
/// </summary>
public static class ClusterWire
{
    delegate IMessage ToWire(object message);

    delegate IClusterMessage FromWire(ReadOnlyMemory<byte> bytes);

    readonly record struct Form(string Manifest, ToWire Write);

    static readonly Dictionary<Type, Form> byType = [];
    static readonly Dictionary<string, FromWire> byManifest = [];

    static ClusterWire()
    {
        Add<LaneBatch, LaneBatchProto>("lb", LaneForms.Write, LaneForms.Read, LaneBatchProto.Parser);
        Add<LaneAck, LaneAckProto>("la", LaneForms.Write, LaneForms.Read, LaneAckProto.Parser);
        Add<LaneResume, LaneResumeProto>("lr", LaneForms.Write, LaneForms.Read, LaneResumeProto.Parser);
        Add<ReaderHello, ReaderHelloProto>("rh", LaneForms.Write, LaneForms.Read, ReaderHelloProto.Parser);
        Add<LaneDrain, LaneDrainProto>("ld", LaneForms.Write, LaneForms.Read, LaneDrainProto.Parser);
        Add<LaneDrained, LaneDrainedProto>("lx", LaneForms.Write, LaneForms.Read, LaneDrainedProto.Parser);
        Add<RowState, RowStateProto>("rs", StateForms.Write, StateForms.Read, RowStateProto.Parser);
        Add<ReaderOrder, ReaderOrderProto>("ro", StateForms.Write, StateForms.Read, ReaderOrderProto.Parser);
        Add<ReaderAnswer, ReaderAnswerProto>("ra", StateForms.Write, StateForms.Read, ReaderAnswerProto.Parser);
        Add<LaneStatusRequest, LaneStatusRequestProto>("sq", ControlForms.Write, ControlForms.Read, LaneStatusRequestProto.Parser);
        Add<LaneStatus, LaneStatusProto>("sa", ControlForms.Write, ControlForms.Read, LaneStatusProto.Parser);
        Add<DeadLetterRetry, DeadLetterRetryProto>("dr", ControlForms.Write, ControlForms.Read, DeadLetterRetryProto.Parser);
        Add<DeadLetterDrop, DeadLetterDropProto>("dd", ControlForms.Write, ControlForms.Read, DeadLetterDropProto.Parser);
        Add<DeadLetterAnswer, DeadLetterAnswerProto>("da", ControlForms.Write, ControlForms.Read, DeadLetterAnswerProto.Parser);
        Add<NodeLeave, NodeLeaveProto>("nl", ControlForms.Write, ControlForms.Read, NodeLeaveProto.Parser);
        Add<OperatorCommandAccepted, OperatorCommandAcceptedProto>("oa", ControlForms.Write, ControlForms.Read, OperatorCommandAcceptedProto.Parser);
        Add<OperatorCommandCompleted, OperatorCommandCompletedProto>("oc", ControlForms.Write, ControlForms.Read, OperatorCommandCompletedProto.Parser);
        Add<DeadLetterDecision, DeadLetterDecisionProto>("dx", ControlForms.Write, ControlForms.Read, DeadLetterDecisionProto.Parser);
        Add<OperatorCommand, OperatorCommandProto>("oq", ControlForms.Write, ControlForms.Read, OperatorCommandProto.Parser);
        Add<OperatorOutcome, OperatorOutcomeProto>("oo", ControlForms.Write, ControlForms.Read, OperatorOutcomeProto.Parser);
        Add<OperatorOutcomesRequest, OperatorOutcomesRequestProto>("ol", ControlForms.Write, ControlForms.Read, OperatorOutcomesRequestProto.Parser);
        Add<OperatorOutcomes, OperatorOutcomesProto>("os", ControlForms.Write, ControlForms.Read, OperatorOutcomesProto.Parser);
        Add<ControlSnapshot, ControlSnapshotProto>("cs", ControlForms.Write, ControlForms.Read, ControlSnapshotProto.Parser);
    }

    /// <summary>The manifests of all messages.</summary>
    public static IReadOnlyCollection<string> Manifests => byManifest.Keys;

    /// <summary>Names the type of a message.</summary>
    /// <exception cref="ClusterWireException">It has no form.</exception>
    public static string ManifestOf(object message) => FormOf(message).Manifest;

    /// <summary>The form of a message.</summary>
    /// <exception cref="ClusterWireException">It has none.</exception>
    public static (string Manifest, byte[] Bytes) ToBytes(object message)
    {
        var form = FormOf(message);
        return (form.Manifest, form.Write(message).ToByteArray());
    }

    /// <summary>Reads a message. Its blocks of bytes are copied once, out of <paramref name="bytes"/>, which may be used anew afterwards.</summary>
    /// <exception cref="ClusterWireException">The manifest is not known, or the bytes are not what it says.</exception>
    public static IClusterMessage FromBytes(string manifest, ReadOnlyMemory<byte> bytes)
    {
        if (!byManifest.TryGetValue(manifest, out var read))
            throw new ClusterWireException(
                $"No cluster message has the manifest '{manifest}'; the node that sent it runs a later version, so bring this one up to date.");
        try
        {
            return read(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new ClusterWireException($"The {bytes.Length} bytes of a cluster message with the manifest '{manifest}' are not readable: {e.Message}", e);
        }
    }

    static Form FormOf(object message) => byType.TryGetValue(message.GetType(), out var form)
        ? form
        : throw new ClusterWireException($"{message.GetType().Name} is no cluster message: it has no manifest in {nameof(ClusterWire)}.");

    static void Add<TMessage, TProto>(string manifest, Func<TMessage, TProto> write, Func<TProto, TMessage> read, MessageParser<TProto> parser)
        where TMessage : IClusterMessage
        where TProto : IMessage<TProto>
    {
        byType.Add(typeof(TMessage), new Form(manifest, message => write((TMessage)message)));
        byManifest.Add(manifest, bytes => read(parser.ParseFrom(bytes.Span)));
    }
}

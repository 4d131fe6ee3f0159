namespace Sync.Contracts.Cluster.Wire;

/// <summary>The forms of questions to lanes and of what the control actor persists.</summary>
static class ControlForms
{
    public static LaneStatusRequestProto Write(LaneStatusRequest message) => new() { Lane = message.Lane, Request = message.Request };

    public static LaneStatusRequest Read(LaneStatusRequestProto form) => new(form.Lane, form.Request);

    public static LaneStatusProto Write(LaneStatus message) => new()
    {
        Lane = message.Lane,
        Request = message.Request,
        Node = message.Node,
        Epoch = message.Epoch,
        Claim = message.Claim,
        LagTicks = message.LagTicks,
        RowsWaiting = message.RowsWaiting,
        BytesWaiting = message.BytesWaiting,
        KeysUnderWay = message.KeysUnderWay,
        CircuitOpen = message.CircuitOpen,
        ParkedKeys = message.ParkedKeys,
        PositionCommit = message.Position.Commit.Value,
        PositionStep = message.Position.Step,
    };

    public static LaneStatus Read(LaneStatusProto form) => new(
        form.Lane, form.Request, form.Node, form.Epoch, form.Claim, form.LagTicks, form.RowsWaiting, form.BytesWaiting, form.KeysUnderWay, form.CircuitOpen,
        form.ParkedKeys, new Position(new Lsn(form.PositionCommit), form.PositionStep));

    public static DeadLetterRetryProto Write(DeadLetterRetry message) =>
        new() { Lane = message.Lane, Request = message.Request, Key = LaneForms.Wrap(message.Key), Force = message.Force };

    public static DeadLetterRetry Read(DeadLetterRetryProto form) => new(form.Lane, form.Request, form.Key.Memory, form.Force);

    public static DeadLetterDropProto Write(DeadLetterDrop message) =>
        new() { Lane = message.Lane, Request = message.Request, Key = LaneForms.Wrap(message.Key), Ids = { message.Ids } };

    public static DeadLetterDrop Read(DeadLetterDropProto form) => new(form.Lane, form.Request, form.Key.Memory, [.. form.Ids]);

    public static DeadLetterAnswerProto Write(DeadLetterAnswer message) => new()
    {
        Lane = message.Lane,
        Request = message.Request,
        Outcome = (int)message.Outcome,
        Handled = message.Handled,
        Left = message.Left,
        Error = message.Error,
    };

    public static DeadLetterAnswer Read(DeadLetterAnswerProto form) =>
        new(form.Lane, form.Request, (DeadLetterOutcome)form.Outcome, form.Handled, form.Left, form.Error);

    public static OperatorCommandAcceptedProto Write(OperatorCommandAccepted message) =>
        new() { Id = message.Id, Command = message.Command, Argument = message.Argument, By = message.By, AtTicks = message.AtTicks };

    public static OperatorCommandAccepted Read(OperatorCommandAcceptedProto form) => new(form.Id, form.Command, form.Argument, form.By, form.AtTicks);

    public static OperatorCommandCompletedProto Write(OperatorCommandCompleted message) => new()
    {
        Id = message.Id,
        Succeeded = message.Succeeded,
        Message = message.Message,
        AtTicks = message.AtTicks,
        Handled = message.Letters.Handled,
        Left = message.Letters.Left,
        Silent = message.Letters.Silent,
    };

    public static OperatorCommandCompleted Read(OperatorCommandCompletedProto form) =>
        new(form.Id, form.Succeeded, form.Message, form.AtTicks, new DeadLetterCount(form.Handled, form.Left, form.Silent));

    public static DeadLetterDecisionProto Write(DeadLetterDecision message) => new()
    {
        Request = message.Request,
        Lane = message.Lane,
        Key = LaneForms.Wrap(message.Key),
        Decision = (int)message.Action,
        Force = message.Force,
        Ids = { message.Ids },
        By = message.By,
        AtTicks = message.AtTicks,
    };

    public static DeadLetterDecision Read(DeadLetterDecisionProto form) => new(
        form.Request, form.Lane, form.Key.Memory, (DeadLetterAction)form.Decision, form.Force, [.. form.Ids], form.By, form.AtTicks);

    public static NodeLeaveProto Write(NodeLeave message) => new() { Node = message.Node, By = message.By, Down = message.Down };

    public static NodeLeave Read(NodeLeaveProto form) => new(form.Node, form.By, form.Down);

    public static OperatorCommandProto Write(OperatorCommand message) =>
        new() { Id = message.Id, Command = message.Command, Argument = message.Argument, By = message.By };

    public static OperatorCommand Read(OperatorCommandProto form) => new(form.Id, form.Command, form.Argument, form.By);

    public static OperatorOutcomeProto Write(OperatorOutcome message) => new()
    {
        Id = message.Id,
        Command = message.Command,
        Argument = message.Argument,
        By = message.By,
        AcceptedTicks = message.AcceptedTicks,
        Stage = (int)message.Stage,
        Message = message.Message,
        EndedTicks = message.EndedTicks,
        Handled = message.Letters.Handled,
        Left = message.Letters.Left,
        Silent = message.Letters.Silent,
    };

    public static OperatorOutcome Read(OperatorOutcomeProto form) => new(
        form.Id, form.Command, form.Argument, form.By, form.AcceptedTicks, (OperatorStage)form.Stage, form.Message, form.EndedTicks,
        new DeadLetterCount(form.Handled, form.Left, form.Silent));

    public static OperatorOutcomesRequestProto Write(OperatorOutcomesRequest message) => new() { Request = message.Request };

    public static OperatorOutcomesRequest Read(OperatorOutcomesRequestProto form) => new(form.Request);

    public static OperatorOutcomesProto Write(OperatorOutcomes message) => new() { Request = message.Request, Outcomes = { message.Outcomes.Select(Write) } };

    public static OperatorOutcomes Read(OperatorOutcomesProto form) => new(form.Request, [.. form.Outcomes.Select(Read)]);

    public static ControlSnapshotProto Write(ControlSnapshot message) =>
        new() { Outcomes = { message.Outcomes.Select(Write) }, Decisions = { message.Decisions.Select(Write) } };

    public static ControlSnapshot Read(ControlSnapshotProto form) => new([.. form.Outcomes.Select(Read)], [.. form.Decisions.Select(Read)]);
}

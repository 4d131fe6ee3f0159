using Akka.Actor;
using Petabridge.Cmd;
using Petabridge.Cmd.Host;
using Sync.Actors.Inspection;

namespace Sync.Petabridge;

/// <summary>Answers the commands of one connection of <c>pbm</c>. It owns nothing: a crash of it loses the answers that are under way.</summary>
sealed class ActorSyncPaletteActor : CommandHandlerActor
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(10);

    public ActorSyncPaletteActor(IPetabridgeText text) : base(ActorSyncCommands.Palette)
    {
        Process(ActorSyncCommands.Lag.Name, _ => Answer(text.LagAsync));
        Process(ActorSyncCommands.Lanes.Name, _ => Answer(text.LanesAsync));
        Process(ActorSyncCommands.Circuits.Name, _ => Answer(text.CircuitsAsync));
        Process(ActorSyncCommands.DeadLetters.Name, _ => Answer(text.DeadLettersAsync));
    }

    void Answer(Func<CancellationToken, Task<IReadOnlyList<string>>> ask) => AnswerAsync(ask).PipeTo(Sender);

    static async Task<object> AnswerAsync(Func<CancellationToken, Task<IReadOnlyList<string>>> ask)
    {
        using var limit = new CancellationTokenSource(patience);
        try
        {
            return new CommandResponse(string.Join(Environment.NewLine, await ask(limit.Token)));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return new ErroredCommandResponse($"This node found no answer within {patience.TotalSeconds} s; ask again.");
        }
        catch (Exception e)
        {
            return new ErroredCommandResponse(e.Message);
        }
    }
}

#if PETABRIDGE_CMD
using System.Globalization;
using System.Text;
using Akka.Actor;
using Petabridge.Cmd;
using Petabridge.Cmd.Cluster;
using Petabridge.Cmd.Cluster.Sharding;
using Petabridge.Cmd.Host;
using Petabridge.Cmd.Remote;
#endif
using Akka.Hosting;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Inspection;

/// <summary>One line each of what <c>pbm actorsync …</c> prints.</summary>
public interface IPetabridgeText
{
    /// <summary>How far behind Redis is.</summary>
    Task<IReadOnlyList<string>> LagAsync(CancellationToken cancellationToken);

    /// <summary>Which node has which lanes.</summary>
    Task<IReadOnlyList<string>> LanesAsync(CancellationToken cancellationToken);

    /// <summary>Which lanes Redis refuses for longer than normal.</summary>
    Task<IReadOnlyList<string>> CircuitsAsync(CancellationToken cancellationToken);

    /// <summary>How many changes are parked, and in which lanes.</summary>
    Task<IReadOnlyList<string>> DeadLettersAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Petabridge.Cmd: <c>pbm</c> on <c>petabridge.host</c> and <c>petabridge.port</c> with the palettes <c>cluster</c>, <c>cluster-sharding</c>, <c>remote</c> and <c>actorsync</c>. It asks
/// nobody for a password. In builds without the packages this does nothing.
/// </summary>
/// <remarks>Written from the public documentation of Petabridge.Cmd 1.x; what stands behind <c>PETABRIDGE_CMD</c> has not been compiled with its packages yet.</remarks>
public static class PetabridgeHosting
{
    /// <summary>Whether the packages were there when this was built.</summary>
    public const bool IsBuiltIn =
#if PETABRIDGE_CMD
        true;
#else
        false;
#endif

    /// <param name="builder">Of the node's system.</param>
    /// <param name="options">The <c>petabridge</c> section.</param>
    /// <param name="text">What the own palette prints.</param>
    public static AkkaConfigurationBuilder AddActorSyncPetabridge(this AkkaConfigurationBuilder builder, PetabridgeOptions options, IPetabridgeText text)
    {
#if PETABRIDGE_CMD
        if (!options.Enabled) return builder;
        string hocon = string.Create(CultureInfo.InvariantCulture, $"petabridge.cmd {{ host = \"{options.Host}\"\n port = {options.Port} }}");
        return builder.AddHocon(hocon, HoconAddMode.Prepend).WithActors((system, _) =>
        {
            var host = PetabridgeCmd.Get(system);
            host.RegisterCommandPalette(ClusterCommands.Instance);
            host.RegisterCommandPalette(ClusterShardingCommands.Instance);
            host.RegisterCommandPalette(new RemoteCommands());
            host.RegisterCommandPalette(new ActorSyncPalette(text));
            host.Start();
        });
#else
        _ = (options, text);
        return builder;
#endif
    }
}

#if PETABRIDGE_CMD
sealed class ActorSyncPalette : CommandPaletteHandler
{
    public static readonly CommandDefinition Lag = Define("lag", "How far behind Redis is.");
    public static readonly CommandDefinition Lanes = Define("lanes", "Which node has which lanes.");
    public static readonly CommandDefinition Circuits = Define("circuits", "Which lanes Redis refuses for longer than normal.");
    public static readonly CommandDefinition DeadLetters = Define("deadletters", "How many changes are parked, and in which lanes.");

    public static readonly CommandPalette Palette = new("actorsync", new[] { Lag, Lanes, Circuits, DeadLetters });

    public ActorSyncPalette(IPetabridgeText text) : base(Palette) => HandlerProps = Props.Create(() => new ActorSyncPaletteActor(text));

    public override Props HandlerProps { get; }

    static CommandDefinition Define(string name, string description) => new CommandDefinitionBuilder().WithName(name).WithDescription(description).Build();
}

/// <summary>Answers the commands of one connection; owns nothing.</summary>
sealed class ActorSyncPaletteActor : CommandHandlerActor
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(10);

    public ActorSyncPaletteActor(IPetabridgeText text) : base(ActorSyncPalette.Palette)
    {
        Process(ActorSyncPalette.Lag.Name, _ => Answer(text.LagAsync));
        Process(ActorSyncPalette.Lanes.Name, _ => Answer(text.LanesAsync));
        Process(ActorSyncPalette.Circuits.Name, _ => Answer(text.CircuitsAsync));
        Process(ActorSyncPalette.DeadLetters.Name, _ => Answer(text.DeadLettersAsync));
    }

    void Answer(Func<CancellationToken, Task<IReadOnlyList<string>>> ask)
    {
        var who = Sender;
        _ = AnswerAsync();
        async Task AnswerAsync()
        {
            using var limit = new CancellationTokenSource(patience);
            var answer = new StringBuilder();
            try
            {
                foreach (string line in await ask(limit.Token)) answer.AppendLine(line);
            }
            catch (Exception e)
            {
                answer.AppendLine(e.Message);
            }
            who.Tell(new CommandResponse(answer.ToString()), ActorRefs.NoSender);
        }
    }
}
#endif

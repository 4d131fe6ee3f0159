using Akka.Hosting;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Inspection;

/// <summary>
/// Adds Petabridge.Cmd, which <c>pbm</c> connects to, to the actor system of a node. Its only implementation is in <c>src/Sync.Petabridge</c>, which not every program
/// has with it: <see cref="PetabridgeLoader"/> looks for it.
/// </summary>
public interface IPetabridgePlugin
{
    /// <summary>Starts Petabridge.Cmd together with the system.</summary>
    /// <param name="builder">Of the node's system.</param>
    /// <param name="options">The <c>petabridge</c> section: where to listen.</param>
    /// <param name="text">What the commands of <c>actorsync</c> print.</param>
    AkkaConfigurationBuilder AddTo(AkkaConfigurationBuilder builder, PetabridgeOptions options, IPetabridgeText text);
}

/// <summary>The lines that <c>pbm actorsync …</c> prints.</summary>
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

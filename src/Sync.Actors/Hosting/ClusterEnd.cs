using Akka.Actor;
using Sync.Contracts;

namespace Sync.Actors.Hosting;

/// <summary>Why a node of the cluster has ended.</summary>
public static class ClusterEnd
{
    /// <summary>
    /// Waits for the end of a system. A node that was downed, by itself or by the others, can't come back under the same incarnation: its process
    /// has to end with <see cref="ExitCode.ClusterDowned"/>, so that its supervisor starts it anew. Akka.Hosting sets an exit code of its own, which a value
    /// that Main returns overrides.
    /// </summary>
    public static async Task<ExitCode> WhenEndedAsync(ActorSystem system)
    {
        // Asked for before the end, as extensions can't be had after it.
        var shutdown = CoordinatedShutdown.Get(system);
        await system.WhenTerminated;
        return CodeOf(shutdown.ShutdownReason);
    }

    internal static ExitCode CodeOf(CoordinatedShutdown.Reason? reason) => reason switch
    {
        // Asked to stop: by a signal, or by an operator through another node.
        CoordinatedShutdown.ClrExitReason or CoordinatedShutdown.ClusterLeavingReason => ExitCode.Ok,
        CoordinatedShutdown.ClusterDowningReason or CoordinatedShutdown.ClusterJoinUnsuccessfulReason => ExitCode.ClusterDowned,
        // Nobody asked; success would keep the supervisor from starting the node again.
        _ => ExitCode.Internal,
    };
}

namespace Sync.Actors.Ports;

/// <summary>Ends the process. Implemented by the host; safe for use from any thread, and to be called more than once.</summary>
public interface INodeFate
{
    /// <summary>Something that a user has to mend: the node stops, with the exit code of its cause.</summary>
    void End(Sync.Contracts.SyncException cause);
}

namespace Sync.Engine.Retry;

/// <summary>What a failure asks for; see the table "Failure, by class" in docs/architecture.md.</summary>
public enum FailureClass
{
    /// <summary>Passes by itself: keep the order, wait, try again.</summary>
    Transient,
    /// <summary>This change can't be applied as it is: park it and what follows for its key.</summary>
    Poison,
    /// <summary>Nothing will work until somebody acts: stop with one clear sentence.</summary>
    Fatal,
}

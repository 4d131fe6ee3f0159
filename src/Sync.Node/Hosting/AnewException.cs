using Sync.Engine.Progress;

namespace Sync.Node.Hosting;

/// <summary>What was found calls for a new start of the engine, with a new connection; nothing is wrong with the node.</summary>
abstract class AnewException(string message) : Exception(message);

/// <summary>
/// PostgreSQL has left the history that Redis follows, which shows only in what it streams. The next start discards what Redis knows of positions.
/// </summary>
sealed class HistoryChangedException(HistoryFinding finding, string message) : AnewException(message)
{
    public HistoryFinding Finding => finding;
}

/// <summary>
/// What the slot holds can't be decoded any more, because its publication was dropped and created again behind it. The next start makes the slot
/// anew.
/// </summary>
sealed class SlotOutdatedException(string message) : AnewException(message);

/// <summary>A table, or its place in the publication, was changed so that the next start has to settle it.</summary>
/// <param name="stopped">The table that is to be stopped; null for none.</param>
/// <param name="change">What was changed, as a sentence without its full stop.</param>
sealed class SchemaChangedException(TableRuntime? stopped, string change) : AnewException($"{change}.")
{
    public TableRuntime? Stopped => stopped;

    public string Change => change;
}

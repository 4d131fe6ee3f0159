using Sync.Engine.Progress;

namespace Sync.Node.Hosting;

/// <summary>PostgreSQL has left the history that Redis follows, which shows only in what it streams. The next start discards what Redis knows of positions.</summary>
sealed class HistoryChangedException(HistoryFinding finding, string message) : Exception(message)
{
    public HistoryFinding Finding => finding;
}

/// <summary>What the slot holds can't be decoded any more, because its publication was dropped and created again behind it. The next start makes the slot anew.</summary>
sealed class SlotOutdatedException(string message) : Exception(message);

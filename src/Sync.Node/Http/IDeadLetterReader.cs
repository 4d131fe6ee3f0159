using Sync.Engine.DeadLetters;

namespace Sync.Node.Http;

/// <summary>Shows dead letters without touching them. Retrying and dropping are the writers' affair, see <see cref="Hosting.INodeAdmin"/>.</summary>
public interface IDeadLetterReader
{
    /// <summary>Up to <paramref name="count"/> dead letters in the order of parking, behind the id <paramref name="after"/>.</summary>
    /// <exception cref="Contracts.SyncException">Redis can't be reached, refuses, or holds something else there.</exception>
    Task<IReadOnlyList<DeadLetter>> ListAsync(string? after, int count, CancellationToken cancellationToken);

    /// <summary>One dead letter; null when there is none with this id.</summary>
    /// <exception cref="Contracts.SyncException">As for <see cref="ListAsync"/>.</exception>
    Task<DeadLetter?> GetAsync(string id, CancellationToken cancellationToken);
}

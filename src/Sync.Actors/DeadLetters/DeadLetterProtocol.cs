using Sync.Contracts.Cluster;

namespace Sync.Actors.DeadLetters;

/// <summary>Have dead letters applied again; answered with <see cref="DeadLettersHandled"/>.</summary>
/// <param name="Request">Names the order; one that is given twice is carried out once.</param>
/// <param name="Key">The ordering key; empty for all keys.</param>
/// <param name="Force">Whether letters go as well that a later change has overtaken.</param>
public sealed record RetryDeadLetters(string Request, ReadOnlyMemory<byte> Key, bool Force);

/// <summary>Have dead letters dropped; answered with <see cref="DeadLettersHandled"/>.</summary>
/// <param name="Request">Names the order.</param>
/// <param name="Key">The ordering key; empty for all keys, which needs <paramref name="Ids"/> to be empty as well.</param>
/// <param name="Ids">Which letters of the key; empty for all.</param>
public sealed record DropDeadLetters(string Request, ReadOnlyMemory<byte> Key, IReadOnlyList<string> Ids);

/// <summary>What became of an order.</summary>
/// <param name="Request">Which.</param>
/// <param name="Handled">Letters applied or dropped.</param>
/// <param name="Left">Letters that were refused again.</param>
/// <param name="Answers">What each lane said.</param>
/// <param name="Silent">Lanes that could not do it in time; the order may be given again under the same name.</param>
public sealed record DeadLettersHandled(string Request, int Handled, int Left, IReadOnlyList<DeadLetterAnswer> Answers, IReadOnlyList<int> Silent);

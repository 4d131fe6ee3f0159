namespace Sync.Redis.Connections;

/// <summary>
/// What carries commands to one Redis server and its replies back: the seam under which the clients differ. Whatever it is made of, it stands for
/// one connection as the server sees it, which never becomes another one: who is fenced, what CLIENT KILL ends and whether an outcome is known
/// all hang on that.
/// </summary>
interface IRespTransport : IAsyncDisposable
{
    /// <summary>Whether it is of no use any more.</summary>
    bool IsBroken { get; }

    /// <summary>
    /// Sends commands in RESP and hands the consumer their replies in RESP. One exchange at a time. Whatever it throws, it is broken afterwards, unless
    /// it was so before or the call was cancelled before it began.
    /// </summary>
    /// <param name="request">Whole commands. Their memory is not touched any more once this returns or throws.</param>
    /// <param name="replies">Takes one reply for each.</param>
    /// <param name="cancellationToken">Breaks the connection.</param>
    /// <exception cref="Errors.RedisTransientException">Connection lost or no answer in time.</exception>
    ValueTask ExchangeAsync(List<ArraySegment<byte>> request, IReplyConsumer replies, CancellationToken cancellationToken);
}

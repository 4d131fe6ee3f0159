namespace Sync.Redis.Protocol;

/// <summary>
/// What came is not RESP2, or exceeds a limit that no sane reply reaches. Nothing after it on that connection can be
/// trusted, so the connection is dropped.
/// </summary>
public sealed class RespProtocolException(string message) : Exception(message);

using System.Security.Authentication;
using StackExchange.Redis;
using Sync.Contracts;
using Sync.Engine.Retry;
using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Redis.Multiplexer;

/// <summary>What StackExchange.Redis throws, in our words. Its own texts are long, and may hold keys.</summary>
static class MultiplexerErrors
{
    /// <summary>Why no connection came about.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="endpoint">The server.</param>
    /// <param name="user">The user we tried to log in as; null for the default user.</param>
    /// <param name="isSecure">Whether TLS was asked for.</param>
    /// <param name="timeout">How long it was tried.</param>
    public static Exception OfConnecting(Exception error, string endpoint, string? user, bool isSecure, TimeSpan timeout)
    {
        if (error is TimeoutException || All(error).Any(e => e is RedisConnectionException { FailureType: ConnectionFailureType.UnableToConnect } && e.InnerException is null))
            return Silent(endpoint, timeout, outcomeUnknown: false, error);
        if (All(error).OfType<RedisServerException>().FirstOrDefault() is { } said)
            return RedisErrors.Classify(said.Message) == FailureClass.Poison
                ? new SyncException(ExitCode.RedisUnsuitable, $"Redis at {endpoint} refuses StackExchange.Redis: {RedisErrors.Cause(said.Message)}.", error)
                : RedisErrors.ToException(said.Message, endpoint, user);
        if (All(error).OfType<AuthenticationException>().FirstOrDefault() is { } handshake)
            return new SyncException(ExitCode.Tls,
                $"The TLS handshake with Redis at {endpoint} failed ({Innermost(handshake)}); check redis.conn.tls, the host name and that the port speaks TLS.", error);
        if (isSecure && All(error).OfType<System.Security.Cryptography.CryptographicException>().FirstOrDefault() is { } alert) return RedisTls.Refused(endpoint, alert);
        return new RedisTransientException($"Redis at {endpoint} can't be reached: {Innermost(error)}.", outcomeUnknown: false, error);
    }

    /// <summary>Why an exchange did not come to its end.</summary>
    public static Exception OfExchange(Exception error, string endpoint, TimeSpan timeout) => error switch
    {
        TimeoutException => Silent(endpoint, timeout, outcomeUnknown: true, error),
        RedisConnectionException lost => new RedisTransientException(
            $"The connection to Redis at {endpoint} was lost: {lost.FailureType}.", outcomeUnknown: true, error),
        RedisCommandException refused => new SyncException(ExitCode.RedisUnsuitable,
            $"StackExchange.Redis does not send Redis at {endpoint} a command that is needed: {refused.Message.TrimEnd('.')}.", error),
        ObjectDisposedException or OperationCanceledException or RedisException => new RedisTransientException(
            $"The connection to Redis at {endpoint} was lost: {Innermost(error)}.", outcomeUnknown: true, error),
        _ => error,
    };

    static RedisTransientException Silent(string endpoint, TimeSpan timeout, bool outcomeUnknown, Exception error) =>
        new($"Redis at {endpoint} did not answer within {timeout.TotalSeconds:0.###} s.", outcomeUnknown, error);

    static IEnumerable<Exception> All(Exception error)
    {
        for (Exception? e = error; e is not null; e = e.InnerException) yield return e;
    }

    static string Innermost(Exception error) => error.GetBaseException().Message.TrimEnd('.');
}

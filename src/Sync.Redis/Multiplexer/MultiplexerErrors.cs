using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using StackExchange.Redis;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Redis.Multiplexer;

/// <summary>What StackExchange.Redis throws, in our words. Its own texts are long, and may hold keys.</summary>
static class MultiplexerErrors
{
    /// <summary>What StackExchange.Redis puts before an error that Redis answered AUTH with: the name of the reply's type in RESP2.</summary>
    const string AuthPrefix = "SimpleError: ";

    /// <summary>Why no connection came about.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="cause">What had failed before that; null when it is not known.</param>
    /// <param name="options">What was asked for.</param>
    /// <param name="endpoint">The server.</param>
    /// <param name="taken">How long it was tried.</param>
    public static Exception OfConnecting(Exception error, Exception? cause, RedisConnectionOptions options, string endpoint, TimeSpan taken)
    {
        Exception[] all = [.. All(error), .. All(cause)];
        if (all.OfType<RedisServerException>().FirstOrDefault() is { } said) return Said(said.Message, endpoint, options.User);
        if (all.OfType<RedisConnectionException>().Any(e => e.FailureType == ConnectionFailureType.AuthenticationFailure && e.InnerException is not AuthenticationException))
            return RedisErrors.ToException(options.Password.IsSet ? "WRONGPASS" : "NOAUTH", endpoint, options.User);
        if (all.OfType<AuthenticationException>().FirstOrDefault() is { } handshake)
            return new SyncException(ExitCode.Tls,
                $"The TLS handshake with Redis at {endpoint} failed ({Innermost(handshake)}); check redis.conn.tls, the host name and that the port speaks TLS.", error);
        if (options.Tls is not null && all.OfType<CryptographicException>().FirstOrDefault() is { } alert) return RedisTls.Refused(endpoint, alert);
        // Who closes in the middle of a handshake may not know what it is.
        if (all.FirstOrDefault(e => e is SocketException or IOException) is { } lost && !IsGivenUp(lost))
            return new RedisTransientException(
                $"Redis at {endpoint} can't be reached: {Innermost(lost)}{(options.Tls is null || lost.GetBaseException() is SocketException ? "." : "; does that port speak TLS?")}", outcomeUnknown: false, error);
        return new RedisTransientException(
            $"Redis at {endpoint} did not let StackExchange.Redis connect within {taken.TotalSeconds:0.##} s{(options.Tls is null ? "." : "; does that port speak TLS?")}",
            outcomeUnknown: false, error);
    }

    /// <summary>An attempt that took too long is broken off, which says nothing of the server.</summary>
    static bool IsGivenUp(Exception lost) => lost.GetBaseException() is SocketException { SocketErrorCode: SocketError.OperationAborted };

    static Exception Said(string text, string endpoint, string? user)
    {
        if (text.StartsWith(AuthPrefix, StringComparison.Ordinal)) text = text[AuthPrefix.Length..];
        return RedisErrors.ToException(text, endpoint, user);
    }

    /// <summary>Why an exchange did not come to its end.</summary>
    public static Exception OfExchange(Exception error, string endpoint, TimeSpan timeout) => error switch
    {
        TimeoutException => new RedisTransientException($"Redis at {endpoint} did not answer within {timeout.TotalSeconds:0.###} s.", outcomeUnknown: true, error),
        RedisConnectionException lost => new RedisTransientException(
            $"The connection to Redis at {endpoint} was lost: {lost.FailureType}.", outcomeUnknown: true, error)
        {
            IsClosed = lost.FailureType is ConnectionFailureType.SocketClosed or ConnectionFailureType.SocketFailure
                or ConnectionFailureType.InternalFailure or ConnectionFailureType.ProtocolFailure,
        },
        RedisCommandException refused => new SyncException(ExitCode.RedisUnsuitable,
            $"StackExchange.Redis does not send Redis at {endpoint} a command that is needed: {refused.Message.TrimEnd('.')}.", error),
        ObjectDisposedException or OperationCanceledException or RedisException => new RedisTransientException(
            $"The connection to Redis at {endpoint} was lost: {Innermost(error)}.", outcomeUnknown: true, error),
        _ => error,
    };

    static IEnumerable<Exception> All(Exception? error)
    {
        for (var e = error; e is not null; e = e.InnerException) yield return e;
    }

    static string Innermost(Exception error) => error.GetBaseException().Message.TrimEnd('.');
}

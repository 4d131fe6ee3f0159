using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using Sync.Contracts.Configuration;
using Sync.Redis.Connections;

namespace Sync.Redis.Multiplexer;

/// <summary>Our settings in the words of StackExchange.Redis, and what keeps it from doing more than we ask for.</summary>
static class MultiplexerOptions
{
    /// <summary>Its own time-outs, which would pick single commands out of a request, are never reached: ours end the connection as a whole.</summary>
    const int NeverMs = 24 * 3600_000;

    /// <param name="options">Where and as whom.</param>
    /// <param name="timeout">For connecting.</param>
    /// <param name="failure">Learns why it fails.</param>
    public static ConfigurationOptions Of(RedisConnectionOptions options, TimeSpan timeout, ConnectFailure failure)
    {
        var secure = options.Tls is { } files ? RedisTls.CreateOptions(files, options.Host) : null;
        var translated = new ConfigurationOptions
        {
            User = options.User,
            Password = options.Password.IsSet ? options.Password.Reveal() : null,
            Ssl = secure is not null,
            SslHost = secure is null ? null : options.Host,
            ConnectTimeout = (int)Math.Clamp(timeout.TotalMilliseconds, 1, NeverMs),
            AsyncTimeout = NeverMs,
            SyncTimeout = NeverMs,
            AbortOnConnectFail = true,
            ConnectRetry = 1,
            // A command that can't go out now must not go out later.
            BacklogPolicy = BacklogPolicy.FailFast,
            Tunnel = new OneConnection(),
            LoggerFactory = failure,
            // No second connection for subscriptions; no question about what we don't use, which the user would need a right for; and no key of its own.
            CommandMap = CommandMap.Create(["SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "CONFIG", "SENTINEL", "CLUSTER", "ECHO"], available: false),
            TieBreaker = "",
            ConfigurationChannel = "",
            SetClientLibrary = false,
            Protocol = RedisProtocol.Resp2,
            // CLIENT KILL and the like are ours to decide on.
            AllowAdmin = true,
            // Its texts would carry keys into the log.
            IncludeDetailInExceptions = false,
        };
        if (secure is not null) translated.SslClientAuthenticationOptions = _ => secure;
        translated.EndPoints.Add(EndPointOf(options));
        return translated;
    }

    static EndPoint EndPointOf(RedisConnectionOptions options) =>
        options.Host.StartsWith('/') ? new UnixDomainSocketEndPoint(options.Host)
        : IPAddress.TryParse(options.Host, out var address) ? new IPEndPoint(address, options.Port)
        : new DnsEndPoint(options.Host, options.Port);
}

using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using Sync.Contracts;
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
        var translated = Given(options.Options);
        translated.User = options.User ?? translated.User;
        translated.Password = options.Password.IsSet ? options.Password.Reveal() : translated.Password;
        translated.Ssl |= secure is not null;
        translated.SslHost ??= secure is null ? null : options.Host;
        translated.ConnectTimeout = (int)Math.Clamp(timeout.TotalMilliseconds, 1, NeverMs);
        translated.AsyncTimeout = NeverMs;
        translated.SyncTimeout = NeverMs;
        translated.AbortOnConnectFail = true;
        translated.ConnectRetry = 1;
        // A command that can't go out now must not go out later.
        translated.BacklogPolicy = BacklogPolicy.FailFast;
        translated.Tunnel = new OneConnection(translated.Tunnel);
        translated.LoggerFactory = failure;
        // No second connection for subscriptions; no question about what we don't use, which the user would need a right for; and no key of its own. CONFIG
        // stays, since the handshake asks for the limits;
        // a user without the right to it can connect all the same.
        translated.CommandMap = CommandMap.Create(["SUBSCRIBE", "UNSUBSCRIBE", "PSUBSCRIBE", "PUNSUBSCRIBE", "SENTINEL", "CLUSTER", "ECHO"], available: false);
        // Chosen behind the handshake, from redis.conn.database.
        translated.DefaultDatabase = null;
        translated.TieBreaker = "";
        translated.ConfigurationChannel = "";
        translated.SetClientLibrary = false;
        translated.Protocol = RedisProtocol.Resp2;
        // CLIENT KILL and the like are ours to decide on.
        translated.AllowAdmin = true;
        // Its texts would carry keys into the log.
        translated.IncludeDetailInExceptions = false;
        if (secure is not null) translated.SslClientAuthenticationOptions = _ => secure;
        translated.EndPoints.Add(EndPointOf(options));
        return translated;
    }

    /// <summary>What the user says in its own words.</summary>
    static ConfigurationOptions Given(Secret text)
    {
        if (!text.IsSet) return new ConfigurationOptions();
        ConfigurationOptions given;
        try
        {
            given = ConfigurationOptions.Parse(text.Reveal());
        }
        catch (ArgumentException e)
        {
            // Its text may hold a part of a password with a comma.
            throw new SyncException(ExitCode.Configuration,
                "'redis.options' holds a setting that StackExchange.Redis does not know, or a value that it does not take; see \"Configuration\" in its documentation.", e);
        }
        // A text without a key is taken for a server.
        return given.EndPoints.Count == 0 ? given : throw new SyncException(ExitCode.Configuration, "'redis.options' names a server, or an option without '='; servers belong under redis.conn or redis.sentinel.");
    }

    static EndPoint EndPointOf(RedisConnectionOptions options) =>
        options.Host.StartsWith('/') ? new UnixDomainSocketEndPoint(options.Host)
        : IPAddress.TryParse(options.Host, out var address) ? new IPEndPoint(address, options.Port)
        : new DnsEndPoint(options.Host, options.Port);
}

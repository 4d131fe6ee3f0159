using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Redis.Connections;

/// <summary>
/// TLS as configured: a root file replaces the system's trusted roots, certificate and key identify the client, and the
/// server's certificate must be good for the configured host. There is no way to switch the checks off.
/// </summary>
static class RedisTls
{
    public static SslClientAuthenticationOptions CreateOptions(TlsOptions tls, string host)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = host };
        if (tls.RootCert is { } rootFile)
        {
            var roots = Load("redis.conn.tls.rootCert", rootFile, static file =>
            {
                var certificates = new X509Certificate2Collection();
                certificates.ImportFromPemFile(file);
                return certificates;
            });
            if (roots.Count == 0) throw new SyncException(ExitCode.Tls, $"The file '{rootFile}' (redis.conn.tls.rootCert) holds no certificate in PEM form.");
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(roots);
            options.CertificateChainPolicy = policy;
        }
        if (tls.Cert is { } certFile)
        {
            string keyFile = tls.Key ?? certFile;
            string certificateText = Load("redis.conn.tls.cert", certFile, static file =>
            {
                string text = File.ReadAllText(file);
                using var readable = X509Certificate2.CreateFromPem(text);
                return text;
            });
            var certificate = Load("redis.conn.tls.key", keyFile, file => X509Certificate2.CreateFromPem(certificateText, File.ReadAllText(file)));
            options.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
        }
        else if (tls.Key is not null)
            throw new SyncException(ExitCode.Tls, "redis.conn.tls.key is set without redis.conn.tls.cert; set both or neither.");
        return options;
    }

    /// <summary>What to say when the server did not take our certificate, or asks for one.</summary>
    public static SyncException Refused(string endpoint, Exception alert) => new(ExitCode.Tls,
        $"Redis at {endpoint} refused the TLS connection ({alert.Message}); set redis.conn.tls.cert and redis.conn.tls.key to a certificate it trusts.", alert);

    static T Load<T>(string setting, string file, Func<string, T> load)
    {
        try
        {
            return load(file);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new SyncException(ExitCode.Tls, $"The file '{file}' ({setting}) does not exist.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new SyncException(ExitCode.Tls, $"The file '{file}' ({setting}) can't be read: {error.Message}", error);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw new SyncException(ExitCode.Tls, $"The file '{file}' ({setting}) is not good: {error.Message.TrimEnd('.')}.", error);
        }
    }
}

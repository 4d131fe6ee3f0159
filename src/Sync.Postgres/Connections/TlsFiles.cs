using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Postgres.Connections;

/// <summary>
/// Puts <c>postgres.conn.tls</c> into a connection string. Without <c>tls</c> the connection is encrypted where the server
/// offers it and not verified, as libpq does by default. With <c>tls</c> it is always encrypted, and certificate and host
/// name are always verified (sslmode verify-full; PostgreSQL docs, "SSL Support"): against rootCert, or against the
/// system's trusted roots when there is none. An encrypted connection to nobody-knows-whom would only look safe.
/// </summary>
static class TlsFiles
{
    /// <exception cref="SyncException">A file is missing, unreadable or not PEM.</exception>
    public static void Apply(NpgsqlConnectionStringBuilder builder, TlsOptions? tls)
    {
        // TLS is not spoken over Unix sockets.
        if (builder.Host!.StartsWith('/'))
        {
            builder.SslMode = SslMode.Disable;
            return;
        }
        if (tls is null)
        {
            builder.SslMode = SslMode.Prefer;
            return;
        }
        Check(tls);
        builder.SslMode = SslMode.VerifyFull;
        if (tls.RootCert is not null) builder.RootCertificate = tls.RootCert;
        if (tls.Cert is not null) builder.SslCertificate = tls.Cert;
        if (tls.Key is not null) builder.SslKey = tls.Key;
    }

    /// <summary>The same for the connection of the stream, which is not the driver's.</summary>
    /// <param name="tls">Files that <see cref="Apply"/> has checked; null verifies nothing.</param>
    /// <param name="host">Whom the server's certificate has to name.</param>
    public static SslClientAuthenticationOptions ForStream(TlsOptions? tls, string host)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = host };
        if (tls is null)
        {
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
            return options;
        }
        if (tls.RootCert is { } root)
        {
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.ImportFromPemFile(root);
        }
        if (tls is { Cert: { } cert, Key: { } key })
            options.ClientCertificateContext = SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(cert, key), additionalCertificates: null, offline: true);
        return options;
    }

    static void Check(TlsOptions tls)
    {
        if (tls.Cert is not null != tls.Key is not null)
        {
            string given = tls.Cert is not null ? "cert" : "key", missing = tls.Cert is not null ? "key" : "cert";
            throw new SyncException(ExitCode.Tls, $"postgres.conn.tls names a {given} but no {missing}; a client certificate needs both files.");
        }
        if (tls.RootCert is { } root)
            Load("rootCert", root, () =>
            {
                var certificates = new X509Certificate2Collection();
                certificates.ImportFromPemFile(root);
                if (certificates.Count == 0) throw new CryptographicException("it holds no certificate");
                foreach (var certificate in certificates) certificate.Dispose();
            });
        if (tls.Cert is not { } cert || tls.Key is not { } key) return;
        Load("key", key, () => File.OpenRead(key).Dispose());
        Load("cert", cert, () => X509Certificate2.CreateFromPemFile(cert, key).Dispose());
    }

    static void Load(string setting, string file, Action load)
    {
        try
        {
            load();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new SyncException(ExitCode.Tls, $"The file {file} of postgres.conn.tls.{setting} does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SyncException(ExitCode.Tls, $"The file {file} of postgres.conn.tls.{setting} can't be read: check its permissions.", e);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            string pair = setting == "cert" ? " or does not fit the key" : "";
            throw new SyncException(ExitCode.Tls, $"The file {file} of postgres.conn.tls.{setting} is not usable as PEM{pair}: {e.Message.TrimEnd('.')}.", e);
        }
    }
}

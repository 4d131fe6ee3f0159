using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Akka.Actor.Setup;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Hosting.Tls;

/// <summary>Carries the identity of this node to the transport, which Akka.NET makes by itself.</summary>
sealed class TlsSetup(TlsIdentity identity) : Setup
{
    public TlsIdentity Identity { get; } = identity;
}

/// <summary>
/// Who this node is and whom it believes. Nodes know each other by certificates of roots that sign nothing else, so the system's trusted roots don't
/// count, and both sides of a connection have to show one: as a server it also has to name the host that was called, as a client it may come from anywhere.
/// </summary>
sealed class TlsIdentity
{
    const string serverUsage = "1.3.6.1.5.5.7.3.1", clientUsage = "1.3.6.1.5.5.7.3.2";

    readonly SslStreamCertificateContext certificate;
    readonly X509Certificate2Collection roots;
    readonly string rootFile;

    TlsIdentity(SslStreamCertificateContext certificate, X509Certificate2Collection roots, string rootFile)
    {
        this.certificate = certificate;
        this.roots = roots;
        this.rootFile = rootFile;
    }

    /// <summary>Reads the three files; a certificate file may hold intermediate certificates behind the node's own.</summary>
    /// <exception cref="SyncException">A file is missing or unusable (<see cref="ExitCode.Tls"/>).</exception>
    public static TlsIdentity Load(TlsOptions files)
    {
        if (files is not { Cert: { } cert, Key: { } key, RootCert: { } rootCert })
            throw new SyncException(ExitCode.Tls, "cluster.tls needs cert, key and rootCert.");
        var roots = Read("rootCert", rootCert, static file => ReadAll(file));
        _ = Read("key", key, static file => { using var opened = File.OpenRead(file); return 0; });
        var own = Read("cert", cert, file => X509Certificate2.CreateFromPemFile(file, key));
        var chain = Read("cert", cert, static file => ReadAll(file));
        return new TlsIdentity(SslStreamCertificateContext.Create(own, chain, offline: true), roots, rootCert);
    }

    /// <summary>To be called by another node.</summary>
    /// <param name="refused">Is told why a caller is refused, before the handshake fails.</param>
    public SslServerAuthenticationOptions ForServer(Action<string> refused) => new()
    {
        ServerCertificateContext = certificate,
        // Whether a client has to show a certificate is not up to the chain: without this one that shows none would get in on some platforms.
        ClientCertificateRequired = true,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = Policy(PeerRole.Client),
        RemoteCertificateValidationCallback = (_, shown, chain, errors) => Accepts(shown, chain, errors, PeerRole.Client, null, refused),
    };

    /// <summary>To call another node.</summary>
    /// <param name="host">The name or address it is called by.</param>
    /// <param name="refused">Is told why it is refused, before the handshake fails.</param>
    public SslClientAuthenticationOptions ForClient(string host, Action<string> refused) => new()
    {
        TargetHost = host,
        ClientCertificateContext = certificate,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = Policy(PeerRole.Server),
        RemoteCertificateValidationCallback = (_, shown, chain, errors) => Accepts(shown, chain, errors, PeerRole.Server, host, refused),
    };

    bool Accepts(X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors, PeerRole role, string? host, Action<string> refused)
    {
        if (CertificateFault.Describe(shown as X509Certificate2, chain, errors, role, host, rootFile) is not { } fault) return true;
        refused(fault);
        return false;
    }

    X509ChainPolicy Policy(PeerRole peer)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(roots);
        policy.ApplicationPolicy.Add(new Oid(peer == PeerRole.Client ? clientUsage : serverUsage));
        return policy;
    }

    static X509Certificate2Collection ReadAll(string file)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPemFile(file);
        return all.Count > 0 ? all : throw new CryptographicException("it holds no certificate");
    }

    static T Read<T>(string setting, string file, Func<string, T> read)
    {
        try
        {
            return read(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new SyncException(ExitCode.Tls, $"The file {file} of cluster.tls.{setting} does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SyncException(ExitCode.Tls, $"The file {file} of cluster.tls.{setting} can't be read: check its permissions.", e);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            string pair = setting == "cert" ? " or does not fit the key" : "";
            throw new SyncException(ExitCode.Tls, $"The file {file} of cluster.tls.{setting} is not usable as PEM{pair}: {e.Message.TrimEnd('.')}.", e);
        }
    }
}

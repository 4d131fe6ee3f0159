using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Akka.Event;
using Akka.Hosting;
using Akka.Remote.Transport.DotNetty;
using Sync.Actors.Hosting;
using Sync.Actors.Hosting.Tls;
using Sync.Contracts.Configuration;
using Sync.Testing;

namespace Sync.Actors.Tests.Hosting.Tls;

/// <summary>
/// Akka.Remote's own TLS with our checks, as well as it can be set up: so that the tests of our transport can be run against it, with
/// <c>ACTORSYNC_TESTS_TLS=akka</c>, whenever its version changes. docs/adr/0023-akka-remote-tls.md says which of them failed.
/// </summary>
static class AkkaTls
{
    public const string ConfigPath = "akka.remote.dot-netty.tcp";

    public static bool Wanted => Environment.GetEnvironmentVariable("ACTORSYNC_TESTS_TLS") == "akka";

    /// <summary>Puts it in the place of ours.</summary>
    public static void Use(AkkaConfigurationBuilder builder, ClusterOptions options)
    {
        builder.AddSetup(Setup(options.Tls!));
        builder.AddHocon(
            $$"""
            akka.remote.enabled-transports = ["{{ConfigPath}}"]
            {{ConfigPath}} {
              enable-ssl = on
              hostname = "{{options.Host}}"
              public-hostname = "{{options.Address.Host}}"
              port = {{options.Port}}
              connection-timeout = 5 s
              maximum-frame-size = {{ClusterHocon.MaxFrameBytes}}b
              send-buffer-size = 0b
              receive-buffer-size = 0b
            }
            """, HoconAddMode.Prepend);
    }

    static DotNettySslSetup Setup(TlsOptions files)
    {
        var own = X509Certificate2.CreateFromPemFile(files.Cert!, files.Key);
        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(files.RootCert!);
        // What stands behind the own certificate is all it can be told about intermediate ones.
        var behind = new X509Certificate2Collection();
        behind.ImportFromPemFile(files.Cert!);
        return new DotNettySslSetup(own, suppressValidation: false, requireMutualAuthentication: true, validateCertificateHostname: true, Accepts);

        bool Accepts(X509Certificate2? certificate, X509Chain? given, string peer, SslPolicyErrors errors, ILoggingAdapter log)
        {
            // Whom we called is named by its address in the cluster, a caller by that of its socket.
            bool called = peer.Contains("://", StringComparison.Ordinal);
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.CustomTrustStore.AddRange(roots);
            chain.ChainPolicy.ExtraStore.AddRange(behind);
            if (given is not null) chain.ChainPolicy.ExtraStore.AddRange(given.ChainPolicy.ExtraStore);
            chain.ChainPolicy.ApplicationPolicy.Add(new Oid(called ? TestAuthority.ServerUsage : TestAuthority.ClientUsage));
            var ours = errors & ~SslPolicyErrors.RemoteCertificateChainErrors;
            if (certificate is not null && !chain.Build(certificate)) ours |= SslPolicyErrors.RemoteCertificateChainErrors;
            var role = called ? PeerRole.Server : PeerRole.Client;
            string? host = called ? Address.Parse(peer).Host : null;
            if (CertificateFault.Describe(certificate, chain, ours, role, host, files.RootCert!) is not { } fault) return true;
            log.Warning("{0}: {1}", peer, fault);
            return false;
        }
    }
}

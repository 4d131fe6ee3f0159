using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Sync.Actors.Hosting.Tls;
using Sync.Testing;

namespace Sync.Actors.Tests.Hosting.Tls;

public sealed class CertificateFaultTests : IDisposable
{
    const string rootFile = "certs/root.pem";

    readonly Sandbox folder = new();
    readonly TestAuthority root = TestAuthority.Root();

    public void Dispose()
    {
        folder.Dispose();
        root.Dispose();
    }

    X509Certificate2 Issue(string subject = "CN=node", SubjectAlternativeNameBuilder? names = null, DateTimeOffset? from = null)
    {
        root.Issue(subject, [TestAuthority.ServerUsage], names, folder.File("crt"), folder.File("key"), from: from);
        return X509CertificateLoader.LoadCertificateFromFile(folder.File("crt"));
    }

    [Fact]
    public void A_certificate_without_faults_should_be_accepted()
    {
        using var certificate = Issue();
        CertificateFault.Describe(certificate, null, SslPolicyErrors.None, PeerRole.Server, "node1", rootFile).ShouldBeNull();
    }

    [Fact]
    public void No_certificate_should_be_refused_whatever_was_found() =>
        CertificateFault.Describe(null, null, SslPolicyErrors.None, PeerRole.Client, null, rootFile)
            .ShouldNotBeNull().ShouldStartWith("it shows no certificate");

    [Fact]
    public void A_fault_that_no_element_of_a_chain_explains_should_be_refused()
    {
        using var certificate = Issue();
        CertificateFault.Describe(certificate, null, SslPolicyErrors.RemoteCertificateChainErrors, PeerRole.Client, null, rootFile)
            .ShouldBe("its certificate CN=node is refused: no chain to a root could be built");
    }

    [Fact]
    public void A_certificate_that_begins_tomorrow_should_point_to_the_clocks()
    {
        using var certificate = Issue(from: DateTimeOffset.UtcNow.AddDays(1));
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.ImportFromPem(root.Pem);
        chain.Build(certificate).ShouldBeFalse();
        CertificateFault.Describe(certificate, chain, SslPolicyErrors.RemoteCertificateChainErrors, PeerRole.Client, null, rootFile)
            .ShouldNotBeNull().ShouldContain($"it is valid from {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd HH:mm} UTC on; compare the clocks");
    }

    [Fact]
    public void A_certificate_without_names_should_say_so()
    {
        using var certificate = Issue();
        CertificateFault.Describe(certificate, null, SslPolicyErrors.RemoteCertificateNameMismatch, PeerRole.Server, "node1", rootFile)
            .ShouldNotBeNull().ShouldContain("it is not good for node1 but for no name");
    }

    [Fact]
    public void Names_that_a_stranger_chose_should_not_fill_the_log()
    {
        var names = new SubjectAlternativeNameBuilder();
        for (int i = 0; i < 500; i++) names.AddDnsName($"host{i}.example");
        using var certificate = Issue(names: names);
        CertificateFault.Describe(certificate, null, SslPolicyErrors.RemoteCertificateNameMismatch, PeerRole.Server, "node1", rootFile)
            .ShouldNotBeNull().Length.ShouldBeLessThan(500);
    }
}

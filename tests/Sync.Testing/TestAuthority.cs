using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Sync.Testing;

/// <summary>A certificate authority that exists for one test: a root, or an intermediate one that a root or another intermediate one has signed.</summary>
public sealed class TestAuthority : IDisposable
{
    public const string ServerUsage = "1.3.6.1.5.5.7.3.1", ClientUsage = "1.3.6.1.5.5.7.3.2";

    readonly X509Certificate2 certificate;

    TestAuthority(X509Certificate2 certificate) => this.certificate = certificate;

    public string Pem => certificate.ExportCertificatePem() + "\n";
    public string Subject => certificate.Subject;

    /// <summary>A root; its name is new each time.</summary>
    public static TestAuthority Root()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new(Request(key, "CA").CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-60), DateTimeOffset.UtcNow.AddDays(30)));
    }

    /// <summary>An authority that this one has signed.</summary>
    public TestAuthority Intermediate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = Sign(Request(key, "intermediate CA"));
        return new(signed.CopyWithPrivateKey(key));
    }

    /// <summary>Writes a certificate and its key as PEM files.</summary>
    /// <param name="subject">Such as CN=node.</param>
    /// <param name="usages">Of its extended key usage.</param>
    /// <param name="names">What hosts it is good for; null for a certificate that names none.</param>
    /// <param name="certFile">Where the certificate goes, with <paramref name="behind"/> behind it.</param>
    /// <param name="keyFile">Where the key goes.</param>
    /// <param name="behind">Certificates that stand behind it in the file, as PEM.</param>
    /// <param name="until">When it ends; by default with this authority.</param>
    /// <param name="from">When it begins; by default with this authority.</param>
    public void Issue(
        string subject, string[] usages, SubjectAlternativeNameBuilder? names, string certFile, string keyFile, string behind = "",
        DateTimeOffset? until = null, DateTimeOffset? from = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([.. usages.Select(u => new Oid(u))], false));
        if (names is not null) request.CertificateExtensions.Add(names.Build());
        using var issued = Sign(request, from, until);
        File.WriteAllText(certFile, issued.ExportCertificatePem() + "\n" + behind);
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(keyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    X509Certificate2 Sign(CertificateRequest request, DateTimeOffset? from = null, DateTimeOffset? until = null) => request.Create(
        certificate, from ?? certificate.NotBefore.ToUniversalTime(), until ?? certificate.NotAfter.ToUniversalTime(), RandomNumberGenerator.GetBytes(8));

    static CertificateRequest Request(ECDsa key, string kind)
    {
        var request = new CertificateRequest($"CN=ActorSync test {kind} {Guid.NewGuid():N}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        return request;
    }

    public void Dispose() => certificate.Dispose();
}

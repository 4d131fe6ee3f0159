using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Sync.Testing;

namespace Sync.Postgres.Tests.Connections;

/// <summary>A certificate authority and certificates of it, as PEM files in a sandbox.</summary>
sealed class Certificates(Sandbox sandbox)
{
    public string Authority(string name) => Write(name, NewAuthority(name));

    /// <summary>A certificate for 127.0.0.1 and, as a client, for the user <paramref name="name"/>.</summary>
    public (string Cert, string Key) Issue(string authority, string name, IPAddress address)
    {
        using var issuer = X509Certificate2.CreateFromPemFile(sandbox.File($"{authority}.crt"), sandbox.File($"{authority}.key"));
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(issuer, issuer.NotBefore, issuer.NotAfter, RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
        return (Write(name, certificate), sandbox.File($"{name}.key"));
    }

    static X509Certificate2 NewAuthority(string name)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    string Write(string name, X509Certificate2 certificate)
    {
        File.WriteAllText(sandbox.File($"{name}.crt"), certificate.ExportCertificatePem());
        using var key = certificate.GetRSAPrivateKey()!;
        File.WriteAllText(sandbox.File($"{name}.key"), key.ExportPkcs8PrivateKeyPem());
        return sandbox.File($"{name}.crt");
    }
}

using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Sync.Testing;

/// <summary>
/// A certificate authority with one server and one client certificate, and one that is both, as PEM files in a folder. The server's is good for
/// <c>localhost</c>, <c>127.0.0.1</c> and <c>::1</c>, and so is that of a node; the client's subject is the name given.
/// </summary>
public sealed class TestCertificates
{
    const string serverUsage = "1.3.6.1.5.5.7.3.1", clientUsage = "1.3.6.1.5.5.7.3.2";

    TestCertificates(string folder)
    {
        CaCert = Path.Combine(folder, "ca.crt");
        ServerCert = Path.Combine(folder, "server.crt");
        ServerKey = Path.Combine(folder, "server.key");
        ClientCert = Path.Combine(folder, "client.crt");
        ClientKey = Path.Combine(folder, "client.key");
        NodeCert = Path.Combine(folder, "node.crt");
        NodeKey = Path.Combine(folder, "node.key");
    }

    public string CaCert { get; }
    public string ServerCert { get; }
    public string ServerKey { get; }
    public string ClientCert { get; }
    public string ClientKey { get; }
    public string NodeCert { get; }
    public string NodeKey { get; }

    /// <param name="folder">Where the files go; created if missing.</param>
    /// <param name="clientName">Common name of the client's certificate (PostgreSQL compares it with the user).</param>
    /// <param name="serverName">DNS name in the server's certificate; another one than localhost makes the host check fail.</param>
    public static TestCertificates Create(string folder, string clientName = "actorsync", string serverName = "localhost")
    {
        Directory.CreateDirectory(folder);
        var files = new TestCertificates(folder);
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var caRequest = new CertificateRequest($"CN=ActorSync test CA {Guid.NewGuid():N}", caKey, HashAlgorithmName.SHA256);
        caRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        caRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        using var ca = caRequest.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(files.CaCert, ca.ExportCertificatePem());

        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(serverName);
        if (serverName == "localhost")
        {
            names.AddIpAddress(IPAddress.Loopback);
            names.AddIpAddress(IPAddress.IPv6Loopback);
        }
        Issue(ca, $"CN={serverName}", [serverUsage], names, files.ServerCert, files.ServerKey);
        Issue(ca, $"CN={clientName}", [clientUsage], null, files.ClientCert, files.ClientKey);
        Issue(ca, "CN=node", [serverUsage, clientUsage], names, files.NodeCert, files.NodeKey);
        return files;
    }

    static void Issue(X509Certificate2 ca, string subject, string[] usages, SubjectAlternativeNameBuilder? names, string certFile, string keyFile)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([.. usages.Select(u => new Oid(u))], false));
        if (names is not null) request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(ca, ca.NotBefore.ToUniversalTime(), ca.NotAfter.ToUniversalTime(), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(certFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(keyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}

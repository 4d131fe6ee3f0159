using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Sync.Testing;

/// <summary>
/// A certificate authority with one server and one client certificate, and one that is both, as PEM files in a folder. The server's is good for
/// <c>localhost</c>, <c>127.0.0.1</c> and <c>::1</c>, and so is that of a node; the client's subject is the name given.
/// </summary>
public sealed class TestCertificates
{
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
        using var ca = TestAuthority.Root();
        File.WriteAllText(files.CaCert, ca.Pem);

        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(serverName);
        if (serverName == "localhost")
        {
            names.AddIpAddress(IPAddress.Loopback);
            names.AddIpAddress(IPAddress.IPv6Loopback);
        }
        ca.Issue($"CN={serverName}", [TestAuthority.ServerUsage], names, files.ServerCert, files.ServerKey);
        ca.Issue($"CN={clientName}", [TestAuthority.ClientUsage], null, files.ClientCert, files.ClientKey);
        ca.Issue("CN=node", [TestAuthority.ServerUsage, TestAuthority.ClientUsage], names, files.NodeCert, files.NodeKey);
        return files;
    }
}

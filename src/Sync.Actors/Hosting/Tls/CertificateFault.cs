using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Sync.Actors.Hosting.Tls;

/// <summary>
/// Says to an operator why the certificate of another node is refused. .NET's own check decides, and its outcome comes in; this only finds the words.
/// </summary>
static class CertificateFault
{
    /// <summary>A stranger chooses what its certificate says, so a message takes no more of it than this.</summary>
    const int mostText = 200;

    /// <param name="certificate">What the peer shows; null if it shows none.</param>
    /// <param name="chain">As it was built with our roots and the wanted usage.</param>
    /// <param name="errors">What the check has found.</param>
    /// <param name="role">What the peer is on this connection.</param>
    /// <param name="host">By what name it was called; null if it is the caller.</param>
    /// <param name="rootFile">The file of <c>cluster.tls.rootCert</c>.</param>
    /// <returns>A sentence without its end; null if nothing is wrong.</returns>
    public static string? Describe(X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors, PeerRole role, string? host, string rootFile)
    {
        if (certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
            return "it shows no certificate; every node needs cluster.tls with cert and key";
        if (errors == SslPolicyErrors.None) return null;
        var faults = new List<string>();
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors)) faults.AddRange(OfChain(certificate, chain, role, rootFile));
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            faults.Add($"it is not good for {host} but for {Names(certificate)}; it has to name that node's publicHost");
        return $"its certificate {Shown(certificate.Subject)} is refused: {string.Join("; ", faults)}";
    }

    static IEnumerable<string> OfChain(X509Certificate2 certificate, X509Chain? chain, PeerRole role, string rootFile)
    {
        var found = new List<string>();
        foreach (var element in chain?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            bool isPeer = element.Certificate.RawDataMemory.Span.SequenceEqual(certificate.RawDataMemory.Span);
            string which = isPeer ? "it" : $"{Shown(element.Certificate.Subject)} above it";
            // A usage that the peer's certificate lacks is said to be missing all the way up.
            var faults = element.ChainElementStatus.Where(s => isPeer || s.Status != X509ChainStatusFlags.NotValidForUsage);
            found.AddRange(faults.Select(s => Of(s, element.Certificate, which, role, rootFile)));
        }
        // Some faults, such as a chain that ends nowhere, belong to the chain alone on some systems.
        if (found.Count == 0) found.AddRange((chain?.ChainStatus ?? []).Select(s => Of(s, certificate, "it", role, rootFile)));
        return found.Count > 0 ? found.Distinct() : ["no chain to a root could be built"];
    }

    static string Of(X509ChainStatus status, X509Certificate2 certificate, string which, PeerRole role, string rootFile) => status.Status switch
    {
        X509ChainStatusFlags.NotTimeValid when certificate.NotAfter < DateTime.Now => $"{which} has expired on {Time(certificate.NotAfter)}",
        X509ChainStatusFlags.NotTimeValid => $"{which} is valid from {Time(certificate.NotBefore)} on; compare the clocks of both nodes",
        X509ChainStatusFlags.PartialChain or X509ChainStatusFlags.UntrustedRoot =>
            $"no certificate in {rootFile} (cluster.tls.rootCert) leads to {Shown(certificate.Issuer)}, which has signed {which}; "
            + "intermediate certificates belong into that node's cert file",
        X509ChainStatusFlags.NotValidForUsage =>
            $"{which} may not be used as {(role == PeerRole.Client ? "client (clientAuth)" : "server (serverAuth)")}; "
            + "the extended key usage of a node needs both",
        _ => $"{which} has the fault {status.Status}: {status.StatusInformation.TrimEnd('.')}",
    };

    static string Names(X509Certificate2 certificate)
    {
        var all = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>()
            .SelectMany(e => e.EnumerateDnsNames().Concat(e.EnumerateIPAddresses().Select(a => a.ToString()))).ToList();
        return all.Count == 0 ? "no name" : Shown(string.Join(", ", all));
    }

    static string Time(DateTime time) => time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    static string Shown(string text) => text.Length <= mostText ? text : text[..mostText] + "…";
}

/// <summary>What a peer is on a connection: who was called is the server.</summary>
enum PeerRole { Server, Client }

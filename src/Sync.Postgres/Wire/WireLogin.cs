using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Wire.Passwords;

namespace Sync.Postgres.Wire;

/// <summary>Answers the server's questions for a password (PostgreSQL docs, "Start-up", Authentication messages). One object per login.</summary>
sealed class WireLogin(HostPort address, PostgresConnectionOptions options, X509Certificate? serverCertificate)
{
    const int ok = 0, cleartext = 3, md5 = 5, sasl = 10, saslContinue = 11, saslFinal = 12;

    ScramSha256? scram;
    bool isProven;

    /// <summary>Whether the server asks for SCRAM, by the first question of a login.</summary>
    public static bool IsScram(ReadOnlySpan<byte> question) => BinaryPrimitives.ReadInt32BigEndian(question) == sasl;

    /// <summary>What to send; null when there is nothing to say.</summary>
    /// <exception cref="SyncException">The server asks for something that is not spoken here, or can't prove that it knows the password.</exception>
    /// <exception cref="NpgsqlException">The server wants a password and there is none.</exception>
    public byte[]? Answer(ReadOnlySpan<byte> question)
    {
        int kind = BinaryPrimitives.ReadInt32BigEndian(question);
        var rest = question[4..];
        try
        {
            switch (kind)
            {
                case ok:
                    return scram is null || isProven ? null : throw new FormatException("the server let us in without proving that it knows the password");
                case cleartext:
                    return Password(Encoding.UTF8.GetBytes(Secret()));
                case md5:
                    return Password(Md5(rest));
                case sasl:
                    return BeginScram(rest);
                case saslContinue:
                    return WireConnection.Message('p', Encoding.UTF8.GetBytes(Scram().Final(Encoding.UTF8.GetString(rest))));
                case saslFinal:
                    Scram().Verify(Encoding.UTF8.GetString(rest));
                    isProven = true;
                    return null;
            }
        }
        catch (FormatException e)
        {
            throw new SyncException(ExitCode.PostgresAuthentication, $"The login of user {options.User} at PostgreSQL {address} failed: {e.Message}. Check that this is the right server.", e);
        }
        throw NotSpoken(kind switch { 2 => "Kerberos", 7 or 8 => "GSSAPI", 9 => "SSPI", _ => $"number {kind}" });
    }

    SyncException NotSpoken(string method) => new(ExitCode.PostgresAuthentication,
        $"PostgreSQL at {address} asks user {options.User} to log in by {method}, which ActorSync doesn't speak: allow scram-sha-256, md5, password or cert in pg_hba.conf.");

    byte[] BeginScram(ReadOnlySpan<byte> mechanisms)
    {
        string[] offered = Encoding.UTF8.GetString(mechanisms).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        byte[]? binding = offered.Contains(ScramSha256.MechanismPlus) ? CertificateHash() : null;
        string mechanism = binding is null ? ScramSha256.Mechanism : ScramSha256.MechanismPlus;
        if (!offered.Contains(mechanism)) throw NotSpoken(string.Join(", ", offered));
        scram = new ScramSha256(Secret(), binding);
        byte[] name = Encoding.UTF8.GetBytes(mechanism), first = Encoding.UTF8.GetBytes(scram.First), length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, first.Length);
        return WireConnection.Message('p', [.. name, 0, .. length, .. first]);
    }

    ScramSha256 Scram() => scram ?? throw new FormatException("the server goes on with a login that was not begun");

    /// <summary>Binds the login to this encrypted connection (RFC 5929, "tls-server-end-point"): the hash that signs the certificate, but at least SHA-256.</summary>
    byte[]? CertificateHash()
    {
        if (serverCertificate is null) return null;
        byte[] raw = serverCertificate.GetRawCertData();
        using var certificate = X509CertificateLoader.LoadCertificate(raw);
        return certificate.SignatureAlgorithm.Value switch
        {
            // Names of the signature algorithms: RFC 4055, RFC 5758.
            "1.2.840.113549.1.1.12" or "1.2.840.10045.4.3.3" => SHA384.HashData(raw),
            "1.2.840.113549.1.1.13" or "1.2.840.10045.4.3.4" => SHA512.HashData(raw),
            "1.2.840.113549.1.1.4" or "1.2.840.113549.1.1.5" or "1.2.840.10045.4.1" or "1.2.840.113549.1.1.11" or "1.2.840.10045.4.3.2" => SHA256.HashData(raw),
            // Of any other it is not known which hash the server takes; the login works without.
            _ => null,
        };
    }

    byte[] Md5(ReadOnlySpan<byte> salt)
    {
        string inner = Convert.ToHexStringLower(MD5.HashData(Encoding.UTF8.GetBytes(Secret() + options.User)));
        return Encoding.ASCII.GetBytes("md5" + Convert.ToHexStringLower(MD5.HashData([.. Encoding.ASCII.GetBytes(inner), .. salt])));
    }

    static byte[] Password(ReadOnlySpan<byte> bytes) => WireConnection.Message('p', [.. bytes, 0]);

    string Secret() => GivenPassword.Of(options, address) ?? throw new NpgsqlException("No password has been provided but the server requires one.");
}

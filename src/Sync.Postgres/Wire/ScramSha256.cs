using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Sync.Postgres.Wire.Passwords;

namespace Sync.Postgres.Wire;

/// <summary>
/// The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677; PostgreSQL docs, "SASL Authentication"): proves that it knows the password
/// without sending it, and that the server knows it too. One object per login.
/// </summary>
sealed class ScramSha256
{
    public const string Mechanism = "SCRAM-SHA-256", MechanismPlus = "SCRAM-SHA-256-PLUS";

    /// <summary>An honest server asks for thousands; a hostile one could keep us busy for hours.</summary>
    const int maxIterations = 10_000_000;

    readonly string nonce, header, firstBare;
    readonly byte[] bindingData, password;
    byte[] expected = [];

    /// <param name="password">As it was given; it is prepared here.</param>
    /// <param name="bindingData">Hash of the server's certificate (RFC 5929, tls-server-end-point) for <see cref="MechanismPlus"/>; null for <see cref="Mechanism"/>.</param>
    /// <param name="nonce">Random text without commas; null for a fresh one.</param>
    /// <param name="user">PostgreSQL takes the user of the startup message and ignores this one.</param>
    public ScramSha256(string password, byte[]? bindingData = null, string? nonce = null, string user = "")
    {
        this.password = Encoding.UTF8.GetBytes(SaslPrep.Prepare(password));
        this.bindingData = bindingData ?? [];
        this.nonce = nonce ?? Convert.ToBase64String(RandomNumberGenerator.GetBytes(18));
        header = bindingData is null ? "n,," : "p=tls-server-end-point,,";
        firstBare = $"n={user},r={this.nonce}";
    }

    public string First => header + firstBare;

    /// <summary>The answer to the server's first message.</summary>
    /// <exception cref="FormatException">The server does not keep to the protocol.</exception>
    public string Final(string serverFirst)
    {
        string serverNonce = Field(serverFirst, 0, "r="), iterationText = Field(serverFirst, 2, "i=");
        byte[] salt = Convert.FromBase64String(Field(serverFirst, 1, "s="));
        if (!serverNonce.StartsWith(nonce, StringComparison.Ordinal) || serverNonce.Length == nonce.Length) throw new FormatException("the server's nonce does not continue ours");
        if (!int.TryParse(iterationText, NumberStyles.None, CultureInfo.InvariantCulture, out int iterations) || iterations is < 1 or > maxIterations)
            throw new FormatException($"the server asks for {iterationText} iterations");

        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, HashAlgorithmName.SHA256, 32);
        byte[] binding = [.. Encoding.ASCII.GetBytes(header), .. bindingData];
        string withoutProof = $"c={Convert.ToBase64String(binding)},r={serverNonce}";
        byte[] signed = Encoding.UTF8.GetBytes($"{firstBare},{serverFirst},{withoutProof}");
        byte[] proof = HMACSHA256.HashData(salted, "Client Key"u8);
        byte[] signature = HMACSHA256.HashData(SHA256.HashData(proof), signed);
        for (int i = 0; i < proof.Length; i++) proof[i] ^= signature[i];
        expected = HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), signed);
        return $"{withoutProof},p={Convert.ToBase64String(proof)}";
    }

    /// <summary>Checks the server's last message: only who knows the password's verifier can have signed it.</summary>
    /// <exception cref="FormatException">The server could not prove itself.</exception>
    public void Verify(string serverFinal)
    {
        byte[] signature = Convert.FromBase64String(Field(serverFinal, 0, "v="));
        if (expected.Length == 0 || !CryptographicOperations.FixedTimeEquals(signature, expected)) throw new FormatException("the server does not know the password either");
    }

    static string Field(string message, int index, string name)
    {
        string[] fields = message.Split(',');
        return index < fields.Length && fields[index].StartsWith(name, StringComparison.Ordinal)
            ? fields[index][name.Length..]
            : throw new FormatException($"the server's message has no {name} where it belongs");
    }
}

using Sync.Contracts.Configuration;

namespace Sync.Postgres.Wire.Passwords;

/// <summary>The password that the user has given for a server, found in the same place for both kinds of connection.</summary>
static class GivenPassword
{
    /// <summary>The configured one, else that of libpq's variable, else that of its password file; null when there is none.</summary>
    public static string? Of(PostgresConnectionOptions options, HostPort address) => options.Password.IsSet ? options.Password.Reveal()
        : Environment.GetEnvironmentVariable("PGPASSWORD") is { Length: > 0 } password ? password
        : PasswordFile.Find(address, options.Database, options.User);
}

using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Postgres.Wire.Passwords;
using Sync.Testing;

namespace Sync.Postgres.Tests.Wire;

/// <summary>Passwords are prepared for SCRAM as PostgreSQL does it, in both kinds of connection.</summary>
[Collection(PostgresCollection.Name)]
public class SaslPrepTests(PostgresFixture fixture)
{
    /// <summary>Characters that are mapped, decomposed, composed, put in order, forbidden or of the other direction, and plain ones between them.</summary>
    static readonly int[] peculiar =
    [
        'a', 'b', '1', ' ', 0x07, 0xA0, 0xAA, 0xAD, 0xB5, 0xC5, 0xDF, 0xE4, 0x130, 0x131, 0x17F, 0x1C4, 0x221, 0x300, 0x301, 0x307, 0x308, 0x316, 0x323, 0x327, 0x338, 0x340, 0x345, 0x34F, 0x3A9, 0x5D0, 0x5B0,
        0x627, 0x628, 0x64B, 0x661, 0x6DD, 0x958, 0x9C7, 0x9BE, 0xF71, 0xF72, 0xF73, 0x1100, 0x1161, 0x11A8, 0x115F, 0x1680, 0x180B, 0x1E0A, 0x1E69, 0x1E9B, 0x1F71, 0x2000, 0x200B, 0x200C, 0x200E, 0x2028, 0x2060,
        0x2122, 0x2126, 0x212B, 0x2168, 0x2460, 0x2ADC, 0x2FF0, 0x3000, 0x304B, 0x3099, 0x309B, 0x3131, 0x33A5, 0xAC00, 0xAC01, 0xD7A3, 0xE000, 0xF900, 0xFB01, 0xFB1D, 0xFB2A, 0xFDFA, 0xFE00, 0xFEFF, 0xFF21, 0xFF9E,
        0xFFFD, 0xFFFE, 0x1D15E, 0x1D400, 0x1F600, 0x2F800, 0x2F868, 0xE0001, 0x10FFFF,
    ];

    [Theory]
    [InlineData("plain \a~", "plain \a~")]
    [InlineData("I\u00ADX", "IX")]
    [InlineData("\u2168", "IX")]
    [InlineData("\u00AA", "a")]
    [InlineData("\uFB01sh", "fish")]
    [InlineData("a\u00A0b", "a b")]
    [InlineData("a\u0308", "\u00E4")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01")]
    // Forbidden: a control character, one that Unicode 3.2 does not know, and text of both directions. As PostgreSQL does, they are left alone.
    [InlineData("\uFB01\u0007", "\uFB01\u0007")]
    [InlineData("\uFB01\U0001F600", "\uFB01\U0001F600")]
    [InlineData("\u0627\u0031", "\u0627\u0031")]
    [InlineData("\u00AD", "\u00AD")]
    [InlineData("\uFB01\uD800", "\uFB01\uD800")]
    public void Password_should_be_prepared(string password, string expected) => SaslPrep.Prepare(password).ShouldBe(expected);

    [Fact]
    public async Task Passwords_should_be_prepared_as_by_PostgreSQL()
    {
        var random = new Random(28);
        var passwords = peculiar.Select(char.ConvertFromUtf32).Concat(Enumerable.Range(0, 300).Select(_ => string.Concat(Enumerable.Range(0, random.Next(2, 6)).Select(_ => char.ConvertFromUtf32(peculiar[random.Next(peculiar.Length)])))));
        await AgreeAsync([.. passwords]);
    }

    async Task AgreeAsync(string[] passwords)
    {
        string role = $"saslprep_{Guid.NewGuid():N}";
        await using var connection = await fixture.Server.OpenAsync();
        await using var command = new NpgsqlCommand($"""
            create role {role};
            create temporary table given(id int, password text, verifier text);
            insert into given select ordinality, password from unnest($1) with ordinality p(password);
            do $$ declare g record; begin
                for g in select * from given loop
                    execute format('alter role {role} password %L', g.password);
                    update given set verifier = rolpassword from pg_authid where rolname = '{role}' and id = g.id;
                end loop;
            end $$;
            """.Replace("$1", "'{" + string.Join(',', passwords.Select(p => $"\"{p.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("'", "''")}\"")) + "}'::text[]"), connection);
        await command.ExecuteNonQueryAsync();
        await using var read = new NpgsqlCommand($"select verifier from given order by id; drop role {role}", connection);
        await using var rows = await read.ExecuteReaderAsync();
        var wrong = new List<string>();
        foreach (string password in passwords)
        {
            (await rows.ReadAsync()).ShouldBeTrue();
            if (!IsVerifierOf(rows.GetString(0), SaslPrep.Prepare(password))) wrong.Add(string.Join(' ', password.EnumerateRunes().Select(r => r.Value.ToString("X4"))));
        }
        wrong.ShouldBeEmpty();
    }

    /// <summary>SCRAM-SHA-256$iterations:salt$stored key:server key.</summary>
    static bool IsVerifierOf(string verifier, string prepared)
    {
        string[] parts = verifier.Split('$', ':');
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(prepared), Convert.FromBase64String(parts[2]), int.Parse(parts[1]), HashAlgorithmName.SHA256, 32);
        return SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8)).AsSpan().SequenceEqual(Convert.FromBase64String(parts[3]));
    }

    [Fact]
    public async Task Peculiar_passwords_should_log_in_with_both_kinds_of_connection_however_the_server_asks()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Password = "s3cret",
            Hba = ["host all md5_user 127.0.0.1/32 md5", "host all bare 127.0.0.1/32 password", "host all bare_md5 127.0.0.1/32 password"],
        });
        await server.ExecuteAsync("""
            create role scram login replication; create role bare login replication;
            create role md5_user login replication; create role bare_md5 login replication
            """);
        string before = await File.ReadAllTextAsync(server.LogFile);
        foreach (string password in new[] { "\uFB01sh", "a\u00A0b", "pa\u0308ss", "so\u00ADft", "\uFB01\u0007", "\uFB01\U0001F600", " blank \u00E4 " })
        {
            string quoted = $"'{password}'";
            await server.ExecuteAsync($"""
                alter role scram password {quoted}; alter role bare password {quoted};
                set password_encryption = 'md5'; alter role md5_user password {quoted}; alter role bare_md5 password {quoted}
                """);
            foreach (string user in new[] { "scram", "bare", "md5_user", "bare_md5" }) await LogInAsync(server, user, password);
        }
        // A login that is tried with two passwords would lock out a user whose server counts.
        (await File.ReadAllTextAsync(server.LogFile))[before.Length..].ShouldNotContain("FATAL");
    }

    static async Task LogInAsync(PostgresServer server, string user, string password)
    {
        var options = new PostgresConnectionOptions { Hosts = [new HostPort(server.Host, server.Port)], User = user, Password = new Secret(password) };
        await using var primary = await new PostgresConnector(options).FindPrimaryAsync();
        await using (var wire = await primary.OpenWireAsync(CancellationToken.None)) wire.ProcessId.ShouldNotBe(0);
        await using (await primary.OpenReplicationAsync()) { }
        await using var journal = new NpgsqlConnection(await new PostgresConnector(options).ConnectionStringAsync());
        await journal.OpenAsync();
    }
}

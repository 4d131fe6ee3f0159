using System.Text.RegularExpressions;
using Sync.Contracts.Configuration;
using Sync.Postgres.Catalog;
using Sync.Postgres.Privileges;
using Sync.Postgres.Publication;

namespace Sync.Postgres.Tests.Privileges;

/// <summary>The facts of a real server, and the statements of the findings run against it.</summary>
[Collection(PostgresCollection.Name)]
public partial class PrivilegeReaderTests(PostgresFixture fixture)
{
    static readonly TableName doc = new("a p", "Doc");

    [GeneratedRegex("run ((?:GRANT|ALTER ROLE|ALTER PUBLICATION) .+?)(?:\\.$|, or )")]
    private static partial Regex Statement();

    static async Task<IReadOnlyList<PrivilegeFinding>> FindAsync(Database database, string[] columns)
    {
        var role = await PrivilegeReader.RoleAsync(database.Source, CancellationToken.None);
        uint oid = await database.ScalarAsync<uint>("select '\"a p\".\"Doc\"'::regclass::oid");
        var rights = await PrivilegeReader.TablesAsync(database.Source, [oid], CancellationToken.None);
        var review = await new PublicationManager(database.Primary, new CatalogReader(database.Source)).ReviewAsync(
            new ReplicationOptions { Pub = "pub", Slot = "slot" }, [new TableConfig { Schema = doc.Schema, Name = doc.Name, Position = default }]);
        return [.. PrivilegeChecks.FindForReading(role, rights[doc], columns, copies: true), .. PrivilegeChecks.FindForPublication(role, review.Needs, rights)];
    }

    [Fact]
    public async Task Statements_of_all_findings_should_give_what_is_missing()
    {
        string user = $"Weak {Guid.NewGuid():N}";
        await fixture.Server.ExecuteAsync($"create role \"{user}\" login; create role \"boss of {user}\"");
        await using var database = await Database.CreateAsync(fixture.Server, $"""
            create schema "a p"; create table "a p"."Doc" (id int primary key, body text); alter table "a p"."Doc" enable row level security;
            grant usage on schema "a p" to "boss of {user}"; alter table "a p"."Doc" owner to "boss of {user}"
            """, user);
        var found = await FindAsync(database, ["id", "body"]);
        found.Count.ShouldBe(5, string.Join('\n', found.Select(f => f.Message)));
        found.ShouldAllBe(f => f.IsFatal);
        // The last one makes the role one of the owner's, which would cure the others as well.
        foreach (var finding in found.Take(4))
        {
            await database.ExecuteAsync(Statement().Match(finding.Message).Groups[1].Value);
            (await FindAsync(database, ["id", "body"])).ShouldNotContain(finding);
        }
        (await FindAsync(database, ["id", "body"])).ShouldBe([found[4]]);
        await database.ExecuteAsync(Statement().Match(found[4].Message).Groups[1].Value);
        (await FindAsync(database, ["id", "body"])).ShouldBeEmpty();
    }

    [Fact]
    public async Task Rights_on_columns_should_be_told_one_by_one()
    {
        string user = $"narrow_{Guid.NewGuid():N}";
        await fixture.Server.ExecuteAsync($"create role {user} login");
        await using var database = await Database.CreateAsync(fixture.Server, $"""
            create schema "a p"; create table "a p"."Doc" (id int primary key, body text, more text); create publication pub for table "a p"."Doc" with (publish_via_partition_root);
            grant usage on schema "a p" to {user}; grant select (id, more) on "a p"."Doc" to {user}
            """, user);
        var found = (await FindAsync(database, ["id", "body", "more"])).ShouldHaveSingleItem();
        found.Message.ShouldContain("column body of a p.Doc");
        await database.ExecuteAsync(Statement().Match(found.Message).Groups[1].Value);
        var versions = (await FindAsync(database, ["id", "body", "more"])).ShouldHaveSingleItem();
        versions.IsFatal.ShouldBeFalse();
        versions.Message.ShouldContain("system columns ctid, xmin");
        await database.ExecuteAsync(Statement().Match(versions.Message).Groups[1].Value);
        (await FindAsync(database, ["id", "body", "more"])).ShouldBeEmpty();
        await using var command = database.Source.CreateCommand("copy (select xmin::text, ctid::text, id, body, more from \"a p\".\"Doc\") to stdout");
        await using var connection = await database.Primary.OpenReadingAsync();
        using var reader = await connection.BeginTextExportAsync(command.CommandText);
        (await reader.ReadToEndAsync()).ShouldBeEmpty();
    }
}

using Sync.Contracts.Configuration;
using Sync.Postgres.Privileges;

namespace Sync.Postgres.Tests.Privileges;

public class PrivilegeChecksTests
{
    static readonly TableName t = new("app", "T x");
    static readonly string[] columns = ["id", "Big one"];
    static readonly RoleFacts plain = new("re\"ader", "shop", IsSuperuser: false, HasReplication: true, BypassesRowSecurity: false, MayCreateInDatabase: false);

    static readonly TableRights all = new()
    {
        Name = t,
        MayUseSchema = true,
        MaySelect = true,
        Selectable = new HashSet<string> { "id", "Big one", "ctid", "xmin" },
        HasRowSecurity = false,
        ForcesRowSecurity = false,
        IsOwner = false,
        Owner = "boss",
    };

    static readonly TableRights nothing = all with { MayUseSchema = false, MaySelect = false, Selectable = new HashSet<string>() };

    static string[] Reading(TableRights table, RoleFacts? role = null, bool copies = true) =>
        [.. PrivilegeChecks.FindForReading(role ?? plain, table, columns, copies).Select(f => (f.IsFatal ? "fatal " : "") + f.Message)];

    [Fact]
    public void All_rights_should_leave_nothing_to_find() => Reading(all).ShouldBeEmpty();

    [Fact]
    public void A_superuser_should_need_no_right() => Reading(nothing with { HasRowSecurity = true, ForcesRowSecurity = true }, plain with { IsSuperuser = true }).ShouldBeEmpty();

    [Fact]
    public void Schema_and_table_should_be_found_in_one_pass()
    {
        string[] found = Reading(nothing);
        found.Length.ShouldBe(2);
        found[0].ShouldBe("fatal User re\"ader may not use schema app of app.T x, which copying it needs: run GRANT USAGE ON SCHEMA \"app\" TO \"re\"\"ader\".");
        found[1].ShouldBe("fatal User re\"ader may not read app.T x, which copying it needs: run GRANT SELECT ON \"app\".\"T x\" TO \"re\"\"ader\".");
    }

    [Fact]
    public void Single_columns_should_be_named_with_their_grant()
    {
        string[] found = Reading(all with { MaySelect = false, Selectable = new HashSet<string> { "id" } });
        found.ShouldHaveSingleItem().ShouldBe(
            "fatal User re\"ader may not read column Big one of app.T x, which copying it needs: run GRANT SELECT (\"Big one\") ON \"app\".\"T x\" TO \"re\"\"ader\".");
    }

    [Fact]
    public void Rights_on_every_column_should_do_for_a_copy_and_warn_of_comparisons()
    {
        string[] found = Reading(all with { MaySelect = false, Selectable = new HashSet<string> { "id", "Big one", "xmin" } });
        found.ShouldHaveSingleItem().ShouldBe(
            "User re\"ader may not read system column ctid of app.T x, so that it can't be compared or re-synced: run GRANT SELECT (\"ctid\") ON \"app\".\"T x\" TO \"re\"\"ader\".");
    }

    [Fact]
    public void Without_a_copy_missing_rights_should_only_warn()
    {
        string[] found = Reading(nothing with { HasRowSecurity = true }, copies: false);
        found.Length.ShouldBe(3);
        found.ShouldAllBe(f => !f.StartsWith("fatal", StringComparison.Ordinal) && f.Contains("can't be compared or re-synced"));
    }

    [Theory]
    [InlineData(false, false, false, false)]
    [InlineData(true, false, false, true)]
    [InlineData(true, true, false, true)]
    [InlineData(true, false, true, false)]
    [InlineData(true, true, true, true)]
    [InlineData(false, true, true, false)]
    public void Policies_should_count_for_whom_they_hold(bool enabled, bool forced, bool owner, bool hides)
    {
        var table = all with { HasRowSecurity = enabled, ForcesRowSecurity = forced, IsOwner = owner };
        string[] found = Reading(table);
        found.Length.ShouldBe(hides ? 1 : 0);
        if (hides) found[0].ShouldContain("run ALTER ROLE \"re\"\"ader\" BYPASSRLS");
        if (hides) found[0].Contains("ALTER TABLE \"app\".\"T x\" NO FORCE ROW LEVEL SECURITY").ShouldBe(owner);
        Reading(table, plain with { BypassesRowSecurity = true }).ShouldBeEmpty();
    }

    static readonly Dictionary<TableName, TableRights> rights = new() { [t] = all };

    static IReadOnlyList<PrivilegeFinding> Publishing(PublicationNeeds needs, RoleFacts? role = null) => PrivilegeChecks.FindForPublication(role ?? plain, needs, rights);

    [Fact]
    public void A_publication_that_stays_as_it_is_should_need_no_right() => Publishing(PublicationNeeds.None("pub")).ShouldBeEmpty();

    [Fact]
    public void A_new_publication_should_need_the_database_and_the_tables()
    {
        var needs = new PublicationNeeds("p ub", Creates: true, Alters: false, IsOwner: true, [t]);
        var found = Publishing(needs);
        found.Select(f => f.Table).ShouldBe([null, t]);
        found.ShouldAllBe(f => f.IsFatal && f.Message.EndsWith("or set up the publication yourself and set postgres.repl.owner: user.", StringComparison.Ordinal));
        found[0].Message.ShouldContain("GRANT CREATE ON DATABASE \"shop\" TO \"re\"\"ader\"");
        found[1].Message.ShouldContain("GRANT \"boss\" TO \"re\"\"ader\", or ALTER TABLE \"app\".\"T x\" OWNER TO \"re\"\"ader\"");
        Publishing(needs, plain with { IsSuperuser = true }).ShouldBeEmpty();
        Publishing(needs, plain with { MayCreateInDatabase = true }).ShouldHaveSingleItem().Table.ShouldBe(t);
    }

    [Theory]
    [InlineData(false, false, false, false, "CREATE SCHEMA \"actorsync\" AUTHORIZATION \"re\"\"ader\"")]
    [InlineData(true, false, true, false, "GRANT USAGE, CREATE ON SCHEMA \"actorsync\" TO \"re\"\"ader\"")]
    [InlineData(true, true, false, false, "GRANT USAGE ON SCHEMA \"actorsync\" TO \"re\"\"ader\"")]
    [InlineData(true, true, true, false, "")]
    [InlineData(true, false, true, true, "")]
    public void The_schema_of_a_cluster_should_be_usable(bool exists, bool complete, bool use, bool create, string says)
    {
        var rights = new ClusterRights(exists, complete, use, create);
        var found = PrivilegeChecks.FindForCluster(plain, rights);
        found.Count.ShouldBe(says.Length > 0 ? 1 : 0);
        if (says.Length > 0) found[0].Message.ShouldContain(says);
        PrivilegeChecks.FindForCluster(plain with { IsSuperuser = true }, rights).ShouldBeEmpty();
        PrivilegeChecks.FindForCluster(plain with { MayCreateInDatabase = true }, new ClusterRights(false, false, false, false)).ShouldBeEmpty();
    }

    [Fact]
    public void An_altered_publication_should_need_its_owner() =>
        Publishing(new PublicationNeeds("p ub", Creates: false, Alters: true, IsOwner: false, [])).ShouldHaveSingleItem().Message.ShouldContain("ALTER PUBLICATION \"p ub\" OWNER TO \"re\"\"ader\"");
}

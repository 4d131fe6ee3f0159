using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Node.Hosting;
using Sync.Postgres.Catalog;
using Sync.Postgres.Privileges;
using Sync.Postgres.Publication;

namespace Sync.Node.Tests.Hosting;

/// <summary>Which tables a review stops, and which it gives back.</summary>
public class TableSetTests
{
    static readonly SyncConfig config = Pipeline.Load("""
        postgres:
          conn: { host: h, database: d, user: u }
          repl: { pub: pub, slot: slot }
        redis:
          conn: { host: h }
        tables:
          - a
          - b
        """);

    static readonly SyncException mapping = new(ExitCode.Configuration, "the mapping is wrong"), right = new(ExitCode.Schema, "A right is missing."), write = new(ExitCode.Schema, "Writes would fail.");

    readonly TableSet tables = new(config);

    TableRuntime A => tables.All[0];

    TableRuntime B => tables.All[1];

    static PublishedTable Published(TableConfig table) => new(
        new TableFacts
        {
            Oid = 1,
            Name = TableName.Of(table),
            Kind = TableKind.Table,
            IsPartition = false,
            IsPermanent = true,
            Identity = ReplicaIdentity.Default,
            Columns = [],
            PrimaryKey = [],
            EstimatedRows = null,
            Pages = 0,
            Bytes = 0,
        }, [], null);

    /// <summary>A review with these reasons; those of <see cref="write"/> come from the publication.</summary>
    static SourceReview Review(SyncException[] a, SyncException[] b, bool aIsThere = true)
    {
        TableReview Of(TableConfig table, SyncException[] why, bool isThere) => new(table, isThere ? Published(table) : null, null, [], why, []);
        SyncException[][] all = [a, b];
        var refused = config.Tables.Where((_, i) => all[i].Contains(write)).ToDictionary(TableName.Of, _ => write);
        return new SourceReview([], [Of(config.Tables[0], a, aIsThere), Of(config.Tables[1], b, true)],
            new PublicationReview([], [], new Dictionary<TableName, PublishedTable>(), refused, PublicationNeeds.None("pub")));
    }

    [Fact]
    public void Every_reason_should_stop_a_table_at_the_start_and_leave_the_other_one_alone()
    {
        tables.Settle(Review([mapping, right], [])).ShouldBe([A]);
        (A.IsRefused, A.IsStopped, A.Error).ShouldBe((true, true, "the mapping is wrong. A right is missing"));
        (B.IsRefused, B.IsStopped, B.Error).ShouldBe((false, false, ""));
        tables.Settle(Review([mapping, right], [])).ShouldBeEmpty("it is known");
    }

    [Fact]
    public void No_table_left_should_be_an_error_with_all_reasons()
    {
        var error = Should.Throw<SyncException>(() => tables.Settle(Review([mapping], [right])));
        error.Code.ShouldBe(ExitCode.Configuration);
        error.Message.ReplaceLineEndings("\n").ShouldBe("the mapping is wrong\nA right is missing.");
        tables.All.ShouldAllBe(t => !t.IsRefused);
    }

    [Fact]
    public void A_mended_table_should_be_given_back()
    {
        tables.Settle(Review([right], []));
        tables.Settle(Review([], [])).ShouldBe([A]);
        (A.IsRefused, A.IsStopped, A.Error).ShouldBe((false, false, ""));
    }

    [Fact]
    public void A_table_that_was_followed_should_only_be_stopped_when_the_publication_can_not_have_it()
    {
        A.WasFollowed = true;
        tables.Settle(Review([mapping, right], [])).ShouldBeEmpty();
        A.IsStopped.ShouldBeFalse();
        tables.Settle(Review([write], [])).ShouldBe([A]);
        tables.Settle(Review([right], [])).ShouldBe([A], "from then on every reason counts again");
        A.Error.ShouldBe("A right is missing");
    }

    [Fact]
    public void A_table_that_is_gone_should_be_stopped_though_it_was_followed()
    {
        A.WasFollowed = true;
        tables.Settle(Review([right], [], aIsThere: false)).ShouldBe([A]);
    }

    [Fact]
    public void A_table_that_a_row_has_stopped_should_stay_so()
    {
        (A.IsStopped, A.Error) = (true, "column x is gone");
        tables.Settle(Review([], [])).ShouldBeEmpty();
        (A.IsStopped, A.Error).ShouldBe((true, "column x is gone"));
        Should.Throw<SyncException>(() => tables.Settle(Review([], [right])), "nothing is left");
    }
}

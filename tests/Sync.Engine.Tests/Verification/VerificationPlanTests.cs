using System.Text;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using Sync.Engine.Verification;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Verification;

public class VerificationPlanTests
{
    static readonly Relation Orders = Relation("id/Integer status amount/Numeric email", identity: ReplicaIdentity.Full);

    [Theory]
    [InlineData("SET o:{id}|{status}", "o:1 text new own")]
    [InlineData("SET o:{id}|{status}|NX", "o:1 text ? own")]
    [InlineData("SET o:{id}|{%xid%}", "o:1 text ? own")]
    [InlineData("SET o:{id}|{status}|EX|60", "o:1 text new own life=60000")]
    [InlineData("SET o:{id}|{status}|KEEPTTL", "o:1 text new own ends")]
    [InlineData("SETEX o:{id}|2|{status}", "o:1 text new own life=2000")]
    [InlineData("SETNX o:{id}|{status}", "o:1 text ? own")]
    [InlineData("MSET a:{id}|{status}|b:{id}|{amount}", "a:1 text new own;b:1 text 3.50 own")]
    [InlineData("HSET o:{id}|{pairs:*}", "o:1 hash own whole id=1 status=new amount=3.50 -email")]
    [InlineData("HSET o:{id}|f|{status}|x|{%xid%}", "o:1 hash own whole f=new x?")]
    [InlineData("HSET o:{id}|{status}|1", "o:1 hash own new=1")]
    [InlineData("HSET all|{id}|{status}", "all hash 1=new")]
    [InlineData("SADD all|{id}|x{id}", "all set 1 x1")]
    [InlineData("ZADD rank|{amount}|{id}", "rank sortedset 1=3.50")]
    [InlineData("ZADD rank|GT|CH|{amount}|{id}", "rank sortedset 1?")]
    [InlineData("GEOADD map|1.5|{amount}|{id}", "map places 1=1.5 3.50")]
    [InlineData("JSON.SET o:{id}|$|{json:id,status}", "o:1 json own $={\"id\":1,\"status\":\"new\"}")]
    [InlineData("JSON.MERGE o:{id}|$|{json:id,email}", "o:1 json own $~{\"id\":1,\"email\":null}")]
    public void State_commands_should_say_what_must_be_there(string command, string expected) =>
        Expect(Table(command.Replace(' ', '|').Split('|'))).ShouldBe(expected);

    [Theory]
    [InlineData("INCRBY n|{id}", "its effect depends on what was there before")]
    [InlineData("HINCRBY o:{id}|f|1", "its effect depends on what was there before")]
    [InlineData("XADD log|*|id|{id}", "its effect depends on what was there before")]
    [InlineData("LPUSH list|{id}", "its effect depends on what was there before")]
    [InlineData("PUBLISH news|{id}", "a message leaves nothing behind")]
    [InlineData("SET last|{id}", "several rows may write the same place")]
    [InlineData("SET by:{email}|{id}", "several rows may write the same place")]
    [InlineData("HSET last|f|{id}", "several rows may write the same place")]
    [InlineData("SADD statuses|{status}", "several rows may write the same place")]
    [InlineData("SET o:{old:id}|x", "its place depends on more than the row as it is")]
    [InlineData("SET o:{id}|x|XX", "XX makes it depend on what was there before")]
    [InlineData("ZADD rank|INCR|{amount}|{id}", "INCR makes it depend on what was there before")]
    public void What_rows_do_not_tell_should_be_named(string command, string reason)
    {
        var plan = Plan(Table(command.Replace(' ', '|').Split('|')));
        plan.NotVerifiable.ShouldHaveSingleItem().ShouldEndWith($": {reason}");
        plan.HasState.ShouldBeFalse();
        Show(plan, "1", "new", "3.50", null).ShouldBe("");
    }

    [Theory]
    [InlineData("o:7", true)]
    [InlineData("all:orders", true)]
    [InlineData("o:", true)]
    [InlineData("other:7", false)]
    [InlineData("count:7", true)]
    [InlineData("log", false)]
    public void Places_of_a_table_that_can_not_be_mapped_should_cover_all_that_its_commands_may_have_written(string key, bool touches)
    {
        var table = Table(["HSET", "o:{nope}", "f", "1"], ["SADD", "all:{%table%}", "{id}"], ["INCR", "count:{%pk%}"], ["PUBLISH", "log", "{id}"]);
        WrittenPlace.Of(table).Any(p => p.Touches(key, "part")).ShouldBe(touches);
    }

    [Fact]
    public void Places_of_the_default_command_should_be_known_without_the_table() =>
        WrittenPlace.Of(Table()).Single().Key.Prefix.ShouldBe("public.orders:");

    [Fact]
    public void Unique_columns_should_make_a_place_one_rows_own() =>
        Show(Plan(Table(["SET", "by:{email}", "{id}"]), unique: [[3]]), "1", "new", "3.50", "e").ShouldBe("by:e text 1 own");

    [Fact]
    public void Counting_in_the_same_place_should_take_the_claim_back()
    {
        Expect(Table(["HSET", "o:{id}", "n", "{amount}", "s", "{status}"], ["HINCRBY", "o:{id}", "n", "1"])).ShouldBe("o:1 hash own s=new");
        Expect(Table(["SET", "o:{id}", "x"], ["APPEND", "o:{id}", "y"])).ShouldBe("");
    }

    [Fact]
    public void Life_times_should_follow_the_commands()
    {
        Expect(Table(["SET", "o:{id}", "x"], ["EXPIRE", "o:{id}", "60"])).ShouldBe("o:1 text x own life=60000");
        Expect(Table(["SET", "o:{id}", "x"], ["EXPIRE", "o:{id}", "60"], ["PERSIST", "o:{id}"])).ShouldBe("o:1 text x own");
        Expect(Table(["SET", "o:{id}", "x"], ["PEXPIRE", "o:{id}", "60", "GT"])).ShouldBe("o:1 text x own ends");
        Expect(Table(["HSET", "o:{id}", "a", "b"]) with { Ttl = TimeSpan.FromSeconds(1) }).ShouldBe("o:1 hash own whole life=1000 a=b");
    }

    [Fact]
    public void Conditions_should_claim_absence_only_where_the_mapping_removes()
    {
        var isNew = Compare("status", ComparisonOperator.Equal, "new");
        var isOld = Compare("status", ComparisonOperator.NotEqual, "new");
        var keeps = Plan(Table() with { Commands = [If(isNew, ["SET", "n:{id}", "x"])] });
        Show(keeps, "1", "new", "1", null).ShouldBe("n:1 text x own");
        Show(keeps, "1", "old", "1", null).ShouldBe("");
        Claims(keeps, "n:1", null, "1", "old", "1", null).ShouldBeTrue("an earlier state of the row may have put it there");
        var removes = Plan(Table() with { Commands = [If(isNew, ["SET", "n:{id}", "x"]), If(isOld, ["DEL", "n:{id}"], ["DEL", "cache:{id}"])] });
        Show(removes, "1", "old", "1", null).ShouldBe("n:1 nothing own");
        var members = Plan(Table() with { Commands = [If(isNew, ["SADD", "s", "{id}"]), If(isOld, ["SREM", "s", "{id}"])] });
        Show(members, "1", "old", "1", null).ShouldBe("s set -1");
        var onUpdate = Plan(Table() with
        {
            Insert = [If(isNew, ["ZADD", "z", "{amount}", "{id}"])],
            Update = [If(isNew, ["ZADD", "z", "{amount}", "{id}"]), If(isOld, ["ZREM", "z", "{id}"])],
        });
        Show(onUpdate, "1", "old", "1", null).ShouldBe("z sortedset -1");
        Show(onUpdate, "1", "new", "1", null).ShouldBe("z sortedset 1=1");
        Show(Plan(Table(["SET", "o:{id}", "x"]) with { When = isNew }), "1", "old", "1", null).ShouldBe("");
    }

    [Fact]
    public void Operations_should_have_to_agree()
    {
        var differ = Plan(Table() with { Insert = Rules(["SET", "o:{id}", "{status}"]), Update = Rules(["SET", "o:{id}", "{amount}"]) });
        differ.NotVerifiable.ShouldBe(["SET o:{id} {status}: updates write otherwise", "SET o:{id} {amount}: only updates run it"]);
        var disturbed = Plan(Table() with { Insert = Rules(["SET", "o:{id}", "{status}"]), Update = Rules(["SET", "o:{id}", "{status}"], ["APPEND", "o:{id}", "x"]) });
        disturbed.NotVerifiable[0].ShouldBe("SET o:{id} {status}: updates also change its key in another way");
        var counted = Plan(Table() with { Insert = Rules(["HSET", "o:{id}", "n", "0", "s", "{status}"]), Update = Rules(["HSET", "o:{id}", "n", "0", "s", "{status}"], ["HINCRBY", "o:{id}", "n", "1"]) });
        Show(counted, "1", "new", "1", null).ShouldBe("o:1 hash own s=new");
        var moved = Plan(Table() with { Insert = Rules(["SADD", "s:{status}", "{id}"]), Update = Rules(["HSET", "o:{id}", "a", "b"]), Delete = Rules(["SREM", "s:{status}", "{id}"]) });
        Show(moved, "1", "new", "1", null).ShouldBe("s:new set 1");
        moved.NotVerifiable.ShouldBe(["HSET o:{id} a b: only updates run it"]);
        var byUser = Plan(Table() with { Insert = Rules(["SADD", "s:{status}", "{id}"]), Update = Rules(["SREM", "s:{old:status}", "{id}"], ["SADD", "s:{status}", "{id}"]) });
        Show(byUser, "1", "new", "1", null).ShouldBe("s:new set 1");
        var insertOnly = Plan(Table() with { Insert = Rules(["SET", "o:{id}", "{status}"]) });
        insertOnly.NotVerifiable.ShouldBe(["SET o:{id} {status}: updates don't run it"]);
        Plan(Table(["SET", "o:{id}", "x"]) with { Action = TableAction.Invalidate }).HasState.ShouldBeFalse();
    }

    [Fact]
    public void NULL_in_a_key_should_be_poison() => Expectation(Plan(Table(["SET", "o:{email}:{id}", "x"])), "1", "new", "1", null).IsPoison.ShouldBeTrue();

    [Fact]
    public void Commit_time_should_only_have_to_be_there() =>
        Show(VerificationPlan.Create(Compile(Table(["HSET", "o:{id}", "{pairs:*}"]), Orders, new MappingOptions(CommitTimeColumn: "at")), [], []), "1", "a", "1", "e")
            .ShouldBe("o:1 hash own whole id=1 status=a amount=1 email=e at?");

    [Theory]
    [InlineData("HSET o:{id}|{pairs:*}", "Key o:{id}", "")]
    [InlineData("SET {status}:{id}|x", "Key {status}:{id}", "")]
    [InlineData("HSET all|{id}|{status}", "HashField all {id}", "")]
    [InlineData("SADD s:{status}|{id}", "SetMember s:{status} {id}", "")]
    [InlineData("ZADD rank|{amount}|{id}", "SortedSetMember rank {id}", "")]
    [InlineData("SADD s|{id}:{status}", "", "an update leaves what stood there before")]
    [InlineData("SET by:{email}|{id}", "", "the primary key can't be read back from its keys")]
    [InlineData("SADD s|{email}", "", "the primary key can't be read back from it")]
    public void Search_should_say_where_it_looks_and_where_not(string command, string probe, string doubt)
    {
        var plan = Plan(Table(command.Replace(' ', '|').Split('|')));
        string.Join(';', plan.Probes.Select(p => $"{p.Kind} {p.Key.Source} {p.Part?.Source}".TrimEnd())).ShouldBe(probe);
        string.Join(';', plan.NotSearched).ShouldEndWith(doubt);
        plan.NotSearched.Count.ShouldBe(doubt.Length > 0 ? 1 : 0);
    }

    [Fact]
    public void Other_writers_should_make_a_difference_contested()
    {
        var other = Compile(Table(["HSET", "o:{id}", "status", "x", "more", "y"], ["SADD", "all", "{id}"]), Relation("id/Integer", name: "public.other"));
        var plan = VerificationPlan.Create(Compile(Table(["HSET", "o:{id}", "{pairs:status,amount}"], ["SADD", "all", "{id}"], ["SET", "own:{id}", "x"]), Orders), [], WrittenPlace.Of(other));
        bool Contested(string key, string? part) => plan.IsContested(new StateDifference(DifferenceKind.Different, Encoding.UTF8.GetBytes(key), part is null ? null : Encoding.UTF8.GetBytes(part), ""));
        Contested("o:1", "status").ShouldBeTrue();
        Contested("o:1", "amount").ShouldBeFalse();
        Contested("all", "1").ShouldBeTrue();
        Contested("all", "x").ShouldBeFalse();
        Contested("own:1", null).ShouldBeFalse();
        var state = RowStates.Of(Expectation(plan, "1", "new", "3.50", null), plan);
        bool ContestedInLane(string key, string? part) => RowStates.IsContested(
            state.Keys.Single(k => Encoding.UTF8.GetString(k.Key.Span) == key),
            new StateDifference(DifferenceKind.Different, Encoding.UTF8.GetBytes(key), part is null ? null : Encoding.UTF8.GetBytes(part), ""));
        foreach (var (key, part) in new[] { ("o:1", "status"), ("o:1", "amount"), ("o:1", "more"), ("o:1", "stray"), ("o:1", null), ("all", "1"), ("all", "x"), ("own:1", null) })
            ContestedInLane(key, part).ShouldBe(Contested(key, part), $"{key} {part}");
        plan.Candidates(plan.Probes.Single(p => p.Key.Source == "o:{id}"), "o:1", null).ShouldBeNull();
        plan.Candidates(plan.Probes.Single(p => p.Key.Source == "own:{id}"), "own:1", null)!.Single().ShouldBe(["1"]);
    }

    [Fact]
    public void Templates_that_look_alike_should_share_their_candidates()
    {
        var relation = Relation("id status", identity: ReplicaIdentity.Full);
        var plan = VerificationPlan.Create(Compile(Table(["SET", "p:{id}", "x"], ["SET", "p:{id}:s", "y"]), relation), [], []);
        var probe = plan.Probes.Single(p => p.Key.Source == "p:{id}");
        plan.Candidates(probe, "p:a:s", null)!.Select(r => r[0]).ShouldBe(["a:s", "a"]);
        plan.Candidates(probe, "other", null)!.ShouldBeEmpty();
    }

    static string Expect(TableConfig table) => Show(Plan(table), "1", "new", "3.50", null);

    static VerificationPlan Plan(TableConfig table, IReadOnlyList<IReadOnlyList<int>>? unique = null) => VerificationPlan.Create(Compile(table, Orders), unique ?? [], []);

    static bool Claims(VerificationPlan plan, string key, string? part, params string?[] row) =>
        Expectation(plan, row).Claims(Encoding.UTF8.GetBytes(key), part is null ? null : Encoding.UTF8.GetBytes(part));

    internal static RowExpectation Expectation(VerificationPlan plan, params string?[] row)
    {
        var (data, cells) = Image(row);
        return plan.Expect(new RowChange { Relation = Orders, Kind = ChangeKind.Insert, New = new RowTuple(data, cells) });
    }

    /// <summary>Each key as: name, content, what is known of it; parts with =, ? for being there, - for not, ~ for merged.</summary>
    static string Show(VerificationPlan plan, params string?[] row) => string.Join(';', Expectation(plan, row).Keys.Select(key =>
    {
        var words = new List<string> { Encoding.UTF8.GetString(key.Key), key.Content.ToString().ToLowerInvariant() };
        if (key.Content == KeyContent.Text) words.Add(key.Text is null ? "?" : Encoding.UTF8.GetString(key.Text));
        if (key.IsOwn) words.Add("own");
        if (key.IsWhole) words.Add("whole");
        if (key.MayHaveEnded) words.Add(key.LifeMs > 0 ? $"life={key.LifeMs}" : "ends");
        foreach (var part in key.Parts)
        {
            string name = Encoding.UTF8.GetString(part.Name), value = Encoding.UTF8.GetString(part.Value);
            words.Add(part.Rule switch
            {
                PartRule.Absent => $"-{name}",
                PartRule.Present => $"{name}?",
                PartRule.Merged => $"{name}~{value}",
                _ => value.Length > 0 ? $"{name}={value}" : name,
            });
        }
        return string.Join(' ', words);
    }));
}

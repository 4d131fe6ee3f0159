using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Mapping;

public class TablePlanTests
{
    static readonly Relation Orders = Relation("id/Integer status amount/Numeric active/Boolean note");
    static readonly Relation FullOrders = Relation("id/Integer status amount/Numeric active/Boolean note", identity: ReplicaIdentity.Full);

    [Fact]
    public void A_table_without_commands_should_become_a_hash_per_row()
    {
        var plan = Compile(Table(), Orders);
        plan.Insert("1", "new", "12.50", "t", "").Commands.ShouldBe(["HSET|public.orders:1|id|1|status|new|amount|12.50|active|true|note|"]);
        plan.Delete("1", Missing, Missing, Missing, Missing).Commands.ShouldBe(["DEL|public.orders:1"]);
    }

    [Fact]
    public void NULL_should_remove_the_field_beside_the_HSET() =>
        Compile(Table(), Orders).Update(null, "1", null, "3", "f", null).Commands.ShouldBe(
            ["HSET|public.orders:1|id|1|amount|3|active|false", "HDEL|public.orders:1|status|note"]);

    [Fact]
    public void NULL_in_a_key_should_be_poison_and_write_nothing()
    {
        var result = Compile(Table(["SET", "a:{id}", "1"], ["SET", "by:{status}", "{id}"]), Orders).Insert("1", null, "3", "f", null);
        result.Outcome.ShouldBe(MapOutcome.Poison);
        result.Error.ShouldContain("by:{status}");
        result.Parts.Single().Commands.ShouldBeEmpty();
        result.Parts.Single().Key.ShouldBe("public.orders:1");
    }

    [Fact]
    public void NULL_in_a_value_should_be_empty() =>
        Compile(Table(["SET", "a:{id}", "<{status}>"]), Orders).Insert("1", null, "3", "f", null).Commands.ShouldBe(["SET|a:1|<>"]);

    [Fact]
    public void Operations_should_run_their_own_commands()
    {
        var table = Table() with { Insert = Rules(["SADD", "all", "{id}"]), Update = Rules(["INCR", "updates"]), Delete = Rules(["SREM", "all", "{id}"]) };
        var plan = Compile(table, Orders);
        plan.Insert("1", "a", "1", "t", "n").Commands.ShouldBe(["SADD|all|1"]);
        plan.Update(null, "1", "a", "1", "t", "n").Commands.ShouldBe(["INCR|updates"]);
        plan.Delete("1", Missing, Missing, Missing, Missing).Commands.ShouldBe(["SREM|all|1"]);
    }

    [Fact]
    public void An_operation_without_commands_should_do_nothing() =>
        Compile(Table() with { Insert = Rules(["SADD", "all", "{id}"]) }, Orders).Delete("1", Missing, Missing, Missing, Missing).Outcome.ShouldBe(MapOutcome.Nothing);

    [Fact]
    public void Names_of_commands_should_go_out_in_upper_case() =>
        Compile(Table(["hset", "k:{id}", "f", "{status}"]), Orders).Insert("1", "x", "1", "t", "n").Commands.ShouldBe(["HSET|k:1|f|x"]);

    [Theory]
    [InlineData("SET|o:{id}|{status}", "DEL|o:1")]
    [InlineData("SETEX|o:{id}|60|{status}", "DEL|o:1")]
    [InlineData("HSET|o:{id}|{pairs:*}", "DEL|o:1")]
    [InlineData("HSET|o:{id}|state|{status}", "DEL|o:1")]
    [InlineData("HSET|states|{id}|{status}", "HDEL|states|1")]
    [InlineData("SADD|s:{status}|{id}|x", "SREM|s:new|1|x")]
    [InlineData("ZADD|rank|GT|{amount}|{id}", "ZREM|rank|1")]
    [InlineData("GEOADD|map|1.5|{amount}|{id}", "ZREM|map|1")]
    [InlineData("MSET|a:{id}|1|b:{id}|2", "DEL|a:1|b:1")]
    [InlineData("JSON.SET|o:{id}|$|{json:*}", "DEL|o:1")]
    [InlineData("JSON.SET|all|$.x{id}|1", "JSON.DEL|all|$.x1")]
    [InlineData("INCR|changes", "INCR|changes")]
    [InlineData("XADD|log|*|id|{id}", "XADD|log|*|id|1")]
    [InlineData("DEL|o:{id}", "DEL|o:1")]
    [InlineData("PUBLISH|log|{status}", "PUBLISH|log|new")]
    public void Shared_commands_should_be_undone_or_run_on_delete(string command, string expected) =>
        Compile(Table(command.Split('|')), FullOrders).Delete("1", "new", "3", "t", "n").Commands.ShouldBe([expected]);

    [Fact]
    public void Shared_write_to_a_key_without_the_row_should_have_nothing_to_undo() =>
        Compile(Table(["SET", "last", "{id}"]), FullOrders).Delete("1", "new", "3", "t", "n").Outcome.ShouldBe(MapOutcome.Nothing);

    [Fact]
    public void Diff_should_be_exact_and_take_a_missing_side_as_zero()
    {
        var plan = Compile(Table(["INCRBYFLOAT", "sum", "{diff:amount}"]), FullOrders);
        plan.Insert("1", "a", "0.10", "t", "n").Commands.ShouldBe(["INCRBYFLOAT|sum|0.10"]);
        plan.Update(["1", "a", "0.10", "t", "n"], "1", "a", "123456789012345678901234567890.3", "t", "n").Commands
            .ShouldBe(["INCRBYFLOAT|sum|123456789012345678901234567890.20"]);
        plan.Delete("1", "a", "0.10", "t", "n").Commands.ShouldBe(["INCRBYFLOAT|sum|-0.10"]);
    }

    [Fact]
    public void Diff_of_what_is_no_number_should_be_poison() =>
        Compile(Table(["INCRBYFLOAT", "sum", "{diff:amount}"]), FullOrders).Insert("1", "a", "NaN", "t", "n").Outcome.ShouldBe(MapOutcome.Poison);

    [Fact]
    public void Old_values_should_be_empty_in_values_and_skip_the_command_in_keys()
    {
        var plan = Compile(Table() with { Update = Rules(["PUBLISH", "c", "{old:status}>{status}"], ["SREM", "s:{old:status}", "{id}"]) }, Orders);
        var result = plan.Update(null, "1", "b", "1", "t", "n");
        result.Commands.ShouldBe(["PUBLISH|c|>b"]);
        result.Skipped.ShouldBe(1);
    }

    [Fact]
    public void The_old_identity_should_be_known_without_an_old_row() =>
        Compile(Table() with { Update = Rules(["PUBLISH", "c", "{old:id}"]) }, Orders).Update(null, "1", "b", "1", "t", "n").Commands.ShouldBe(["PUBLISH|c|1"]);

    [Fact]
    public void Changing_the_primary_key_should_end_the_old_key_and_begin_the_new_one()
    {
        var result = Compile(Table(), Orders).Update(["1", Missing, Missing, Missing, Missing], "2", "a", "1", "t", "n");
        result.Parts.Select(p => p.Key).ShouldBe(["public.orders:1", "public.orders:2"]);
        result.Commands.ShouldBe(["DEL|public.orders:1", "HSET|public.orders:2|id|2|status|a|amount|1|active|true|note|n"]);
    }

    [Fact]
    public void Changing_a_column_used_in_a_key_should_move_the_row() =>
        Compile(Table(["SADD", "s:{status}", "{id}"]), FullOrders).Update(["1", "a", "1", "t", "n"], "1", "b", "1", "t", "n").Commands
            .ShouldBe(["SREM|s:a|1", "SADD|s:b|1"]);

    [Fact]
    public void A_column_in_a_key_of_the_insert_commands_should_move_the_row_as_well()
    {
        var table = Table() with
        {
            Insert = Rules(["INCRBYFLOAT", "sum:{status}", "{amount}"]),
            Update = Rules(["INCR", "updates"]),
            Delete = Rules(["INCRBYFLOAT", "sum:{status}", "-{amount}"]),
        };
        var plan = Compile(table, FullOrders);
        plan.Update(["1", "a", "1", "t", "n"], "1", "b", "2", "t", "n").Commands.ShouldBe(["INCRBYFLOAT|sum:a|-1", "INCRBYFLOAT|sum:b|2"]);
        plan.Update(["1", "a", "1", "t", "n"], "1", "a", "2", "t", "n").Commands.ShouldBe(["INCR|updates"]);
    }

    [Fact]
    public void A_column_in_the_key_of_a_log_should_move_nothing() =>
        Compile(Table() with { Insert = Rules(["XADD", "log:{status}", "*", "op", "i"]), Update = Rules(["XADD", "log:{status}", "*", "op", "u"]), Delete = Rules(["XADD", "log:{status}", "*", "op", "d"]) }, FullOrders)
            .Update(["1", "a", "1", "t", "n"], "1", "b", "1", "t", "n").Commands.ShouldBe(["XADD|log:b|*|op|u"]);

    [Fact]
    public void A_move_should_leave_a_key_in_place_that_stays_the_same()
    {
        var table = Table(["HSET", "o:{id}", "{pairs:id,status}"], ["SADD", "s:{status}", "{id}"]);
        var plan = Compile(table, FullOrders);
        plan.Update(["1", "a", "1", "t", "n"], "1", "b", "1", "t", "n").Commands.ShouldBe(["SREM|s:a|1", "HSET|o:1|id|1|status|b", "SADD|s:b|1"]);
        plan.Update(["1", "a", "1", "t", "n"], "2", "a", "1", "t", "n").Commands.ShouldBe(["DEL|o:1", "SREM|s:a|1", "HSET|o:2|id|2|status|a", "SADD|s:a|2"]);
        Compile(table with { When = Rows.Compare("status", ComparisonOperator.Equal, "a") }, FullOrders).Update(["1", "a", "1", "t", "n"], "1", "b", "1", "t", "n").Commands
            .ShouldBe(["DEL|o:1", "SREM|s:a|1"]);
    }

    [Fact]
    public void A_count_of_events_should_move_nothing() =>
        Compile(Table(["HSET", "o:{id}", "{pairs:id}"], ["INCR", "seen:{status}"]) with { Update = Rules(["INCR", "became:{status}"]) }, FullOrders)
            .Update(["1", "a", "1", "t", "n"], "1", "b", "1", "t", "n").Commands.ShouldBe(["INCR|became:b"]);

    [Fact]
    public void Differences_should_leave_the_old_counter_with_the_row() =>
        Compile(Table(["INCRBYFLOAT", "sum:{status}", "{diff:amount}"]), FullOrders)
            .Update(["1", "a", "1", "t", "n"], "1", "b", "3", "t", "n").Commands.ShouldBe(["INCRBYFLOAT|sum:a|-1", "INCRBYFLOAT|sum:b|3"]);

    [Fact]
    public void A_move_should_be_given_to_the_update_commands_where_there_are_no_others()
    {
        var table = Table() with { Update = Rules(["SADD", "s:{status}", "{old:id}>{id}"]) };
        Compile(table, FullOrders).Update(["1", "a", "1", "t", "n"], "2", "b", "1", "t", "n").Commands.ShouldBe(["SADD|s:b|1>2"]);
    }

    [Fact]
    public void A_move_should_tidy_up_with_new_values_where_the_old_ones_were_not_sent()
    {
        var table = Table(["SADD", "s:{status}", "{id}"], ["XADD", "log", "*", "s", "{status}"]);
        Compile(table, Orders).Update(["1", Missing, Missing, Missing, Missing], "2", "a", "1", "t", "n").Commands
            .ShouldBe(["SREM|s:a|1", "XADD|log|*|s|", "SADD|s:a|2", "XADD|log|*|s|a"]);
    }

    [Theory]
    [InlineData("HSET|k:{id}|type|order|{pairs:note}", "HSET|k:1|type|order")]
    [InlineData("XADD|log|MAXLEN|~|9|LIMIT|5|*|op|i|{pairs:note}", "XADD|log|MAXLEN|~|9|LIMIT|5|*|op|i")]
    public void A_command_should_run_without_its_list_where_enough_is_left(string command, string expected) =>
        Compile(Table() with { Insert = Rules(command.Split('|')) }, Orders).Insert("1", "a", "1", "t", null)
            .Commands.Where(c => !c.StartsWith("HDEL", StringComparison.Ordinal)).ShouldBe([expected]);

    /// <summary>An event whose columns were all NULL was counted as applied and never written.</summary>
    [Theory]
    [InlineData("XADD|log|MAXLEN|9|*|{pairs:note}", "XADD|log|MAXLEN|9|*|note|")]
    [InlineData("XADD|log|NOMKSTREAM|*|{pairs:note,status}", "XADD|log|NOMKSTREAM|*|note||status|")]
    [InlineData("RPUSH|log|{pairs:note}", "RPUSH|log|note|")]
    public void An_event_without_any_value_should_be_told_all_the_same(string command, string expected)
    {
        var plan = Compile(Table(command.Split('|')), Orders);
        plan.Insert("1", null, "1", "t", null).Commands.ShouldBe([expected]);
        plan.Update(null, "1", null, "1", "t", Unchanged).Outcome.ShouldBe(MapOutcome.NeedsReread);
        plan.Reread(["1", null, "1", "t", "long"], "1", null, "1", "t", Unchanged).Commands.Single().ShouldContain("note|long");
        plan.Reread(null, "1", null, "1", "t", Unchanged).Commands.ShouldBe([expected]);
        plan.Delete("1", Missing, Missing, Missing, Missing).Commands.ShouldBe([expected]);
    }

    [Fact]
    public void Commands_of_state_should_stay_away_without_any_value()
    {
        Compile(Table(["HSET", "k:{id}", "{pairs:note}"]), Orders).Insert("1", "a", "1", "t", null).Commands.ShouldBe(["HDEL|k:1|note"]);
        Compile(Table(["SADD", "k:{id}", "{pairs:note}"]), Orders).Insert("1", "a", "1", "t", null).Outcome.ShouldBe(MapOutcome.Nothing);
    }

    [Fact]
    public void A_list_of_no_column_should_be_refused() =>
        Issues(Table(["XADD", "log", "*", "{pairs:*}"]) with { Columns = new ColumnFilter(Include: []) }, Orders).ShouldContain(i => i.Contains("'{pairs:*}' stands for no column"));

    [Fact]
    public void An_order_that_is_not_known_should_be_said()
    {
        var thin = Compile(Table() with { Key = "c:{status}" }, Orders);
        thin.Insert("1", "a", "1", "t", "n").IsOrderUnknown.ShouldBeFalse();
        thin.Update(null, "1", "a", "1", "t", "n").IsOrderUnknown.ShouldBeTrue();
        thin.Delete("1", Missing, Missing, Missing, Missing).IsOrderUnknown.ShouldBeTrue();
        Compile(Table() with { Key = "c:{status}" }, FullOrders).Update(["1", "a", "1", "t", "n"], "1", "a", "1", "t", "n").IsOrderUnknown.ShouldBeFalse();
    }

    [Fact]
    public void A_leftover_should_only_be_taken_away_and_a_present_row_only_be_written()
    {
        var plan = Compile(Table(["HSET", "o:{id}", "{pairs:id}"], ["SADD", "s:{status}", "{id}"], ["INCRBYFLOAT", "sum", "{diff:amount}"], ["XADD", "log", "*", "id", "{id}"], ["PUBLISH", "c", "x"]), FullOrders);
        plan.Leftover("1", "a", "2", "t", "n").Commands.ShouldBe(["DEL|o:1", "SREM|s:a|1"]);
        plan.Present("1", "a", "2", "t", "n").Commands.ShouldBe(["HSET|o:1|id|1", "SADD|s:a|1"]);
    }

    [Fact]
    public void Keys_should_be_those_made_of_rows_and_touched_keys_all()
    {
        var plan = Compile(Table(["SET", "o:{note}", "x"], ["INCRBYFLOAT", "sum", "{diff:amount}"], ["INCR", "seen"], ["RPUSH", "log:{id}", "x"]), FullOrders);
        plan.Keys.Select(k => k.Glob).ShouldBe(["o:*", "sum"]);
        plan.TouchedKeys.Select(k => k.Glob).ShouldBe(["o:*", "sum", "seen", "log:*"]);
        plan.Keys[0].Matches("o:").ShouldBeTrue("an empty text is a value, too");
    }

    [Fact]
    public void A_refused_row_should_keep_its_ordering_key()
    {
        var result = Compile(Table(["SET", "o:{id}", "{note}"]), Orders).Refused("gone", "1", "a", "1", "t", Unchanged);
        result.Outcome.ShouldBe(MapOutcome.Poison);
        result.Error.ShouldBe("gone");
        result.Parts.Single().Key.ShouldBe("public.orders:1");
    }

    [Fact]
    public void Values_read_again_should_fill_in_and_stay_known_as_left_alone()
    {
        var table = Table() with
        {
            Update = [.. Rules(["SET", "o:{id}", "{json:note}"]), If(Rows.Compare("note", ComparisonOperator.IsDistinctFrom, "{old:note}"), ["INCR", "changed"])],
        };
        Compile(table, Orders).Reread(["1", "b", "1", "t", "long"], "1", "b", "1", "t", Unchanged).Commands.ShouldBe(["SET|o:1|{\"note\":\"long\"}"]);
    }

    [Fact]
    public void A_move_the_user_handles_should_be_left_to_the_user() =>
        Compile(Table() with { Insert = Rules(["SADD", "s:{status}", "{id}"]), Update = Rules(["SREM", "s:{old:status}", "{id}"], ["SADD", "s:{status}", "{id}"], ["INCR", "n"]) }, FullOrders)
            .Update(["1", "a", "1", "t", "n"], "1", "b", "1", "t", "n").Commands.ShouldBe(["SREM|s:a|1", "SADD|s:b|1", "INCR|n"]);

    [Fact]
    public void A_move_without_anything_to_end_should_still_name_the_old_key()
    {
        var table = Table() with { Insert = Rules(["SET", "o:{id}", "x"]), Update = Rules(["SET", "o:{id}", "x"]) };
        var result = Compile(table, Orders).Update(["1", Missing, Missing, Missing, Missing], "2", "a", "1", "t", "n");
        result.Parts.Select(p => p.Key).ShouldBe(["public.orders:1", "public.orders:2"]);
        result.Commands.ShouldBe(["SET|o:2|x"]);
    }

    /// <summary>The key may have expired, been evicted or deleted: HSET of the rest made a hash without the large value.</summary>
    [Fact]
    public void A_hash_should_never_be_written_without_a_value_that_the_update_left_alone()
    {
        var plan = Compile(Table(), Orders);
        plan.Update(null, "1", "a", "1", "t", Unchanged).Outcome.ShouldBe(MapOutcome.NeedsReread);
        plan.Reread(["1", "b", "2", "f", "long"], "1", "a", null, "t", Unchanged).Commands.ShouldBe(["HSET|public.orders:1|id|1|status|a|active|true|note|long", "HDEL|public.orders:1|amount"]);
        plan.Reread(["1", "b", "2", "f", null], "1", "a", "1", "t", Unchanged).Commands
            .ShouldBe(["HSET|public.orders:1|id|1|status|a|amount|1|active|true", "HDEL|public.orders:1|note"]);
        Compile(Table(), FullOrders).Update(["1", "a", "1", "t", "long"], "1", "b", "1", "t", Unchanged).Commands
            .ShouldBe(["HSET|public.orders:1|id|1|status|b|amount|1|active|true|note|long"]);
    }

    [Fact]
    public void A_row_that_is_gone_when_it_is_read_again_should_write_no_half_value()
    {
        var plan = Compile(Table(["HSET", "h:{id}", "{pairs:*}"], ["SET", "j:{id}", "{json:*}"], ["SET", "t:{id}", "{status}/{note}"], ["SET", "s:{id}", "{status}"], ["INCR", "n"]), Orders);
        plan.Reread(null, "1", "a", "1", "t", Unchanged).Commands.ShouldBe(["SET|s:1|a", "INCR|n"]);
    }

    [Fact]
    public void Pairs_that_do_not_name_the_value_should_not_ask_for_it()
    {
        Compile(Table(["HSET", "o:{id}", "{pairs:id,status}"]), Orders).Update(null, "1", "a", "1", "t", Unchanged).Commands.ShouldBe(["HSET|o:1|id|1|status|a"]);
        // A hash that many rows share is whole in no sense.
        Compile(Table(["HSET", "last", "{pairs:status,note}"]), Orders).Update(null, "1", "a", "1", "t", Unchanged).Commands.ShouldBe(["HSET|last|status|a"]);
    }

    [Fact]
    public void An_update_that_brings_back_a_part_of_an_expired_hash_should_be_named()
    {
        var table = Table() with { Insert = Rules(["HSET", "o:{id}", "{pairs:*}"]), Update = Rules(["HSET", "o:{id}", "status", "{status}"]) };
        Issues(table with { Ttl = TimeSpan.FromHours(1) }, Orders).ShouldContain(i => i.Contains("without id, amount, active, note, which only inserts write"));
        Issues(table, Orders).ShouldNotContain(i => i.Contains("only inserts write"));
        Issues(Table() with { Ttl = TimeSpan.FromHours(1) }, Orders).ShouldNotContain(i => i.Contains("only inserts write"));
    }

    [Fact]
    public void Columns_of_any_name_should_be_found()
    {
        var relation = new Relation
        {
            Oid = 1,
            Schema = "public",
            Name = "orders",
            Identity = ReplicaIdentity.Full,
            PrimaryKey = [0],
            Columns = [.. new[] { "id", " lead", "a}b", "say \"hi\"", "x,y", "Upper", "a.b", "%pk%", "old:id" }.Select(n => new RelationColumn(n, 0, ColumnType.Text, true))],
        };
        string?[] row = ["1", "L", "B", "H", "C", "U", "D", "P", "O"];
        Compile(Table(["SET", "{ id }", "{ lead}/{\"a}b\"}/{\"say \"\"hi\"\"\"}/{\"x,y\"}/{Upper}/{a.b}/{\"%pk%\"}/{\"old:id\"}"]), relation).Insert(row).Commands.ShouldBe(["SET|1|L/B/H/C/U/D/P/O"]);
        Compile(Table(["HSET", "h:{id}", "{pairs: lead,\"x,y\", \"a}b\", id}"]), relation).Insert(row).Commands.ShouldBe(["HSET|h:1| lead|L|x,y|C|a}b|B|id|1"]);
        Compile(Table(["SET", "o:{id}", "x"]) with { Tags = ["t:{ lead}"] }, relation).Update(row, "1", "M", "B", "H", "C", "U", "D", "P", "O").Commands
            .ShouldBe(["SREM|t:L|o:1", "SET|o:1|x", "SADD|t:M|o:1"]);
        Compile(Table(["SET", "o:{ lead}", "x"]), relation).Update(row, "1", "M", "B", "H", "C", "U", "D", "P", "O").Commands.ShouldBe(["DEL|o:L", "SET|o:M|x"]);
        Issues(Table(["SET", "o:{Lead}", "x"]), relation).ShouldContain(i => i.Contains("column 'Lead' does not exist"));
    }

    [Fact]
    public void Unchanged_values_should_come_from_the_old_row_when_it_was_sent() =>
        Compile(Table(["SET", "o:{id}", "{json:note}"]), FullOrders).Update(["1", "a", "1", "t", "long"], "1", "b", "1", "t", Unchanged).Commands
            .ShouldBe(["SET|o:1|{\"note\":\"long\"}"]);

    [Theory]
    [InlineData("{json:*}")]
    [InlineData("{note}")]
    public void Unchanged_values_needed_elsewhere_should_ask_for_the_row(string template) =>
        Compile(Table(["SET", "o:{id}", template]), Orders).Update(null, "1", "b", "1", "t", Unchanged).Outcome.ShouldBe(MapOutcome.NeedsReread);

    [Fact]
    public void A_row_that_moves_should_be_complete_under_its_new_key() =>
        Compile(Table(), Orders).Update(["1", Missing, Missing, Missing, Missing], "2", "b", "1", "t", Unchanged).Outcome.ShouldBe(MapOutcome.NeedsReread);

    [Fact]
    public void Ttl_should_follow_the_last_write_of_a_key()
    {
        var table = Table(["HSET", "o:{id}", "{pairs:id}"]) with { Ttl = TimeSpan.FromHours(1) };
        Compile(table, Orders).Insert("1", "a", "1", "t", "n").Commands.ShouldBe(["HSET|o:1|id|1", "PEXPIRE|o:1|3600000"]);
        Compile(table, Orders).Delete("1", Missing, Missing, Missing, Missing).Commands.ShouldBe(["DEL|o:1"]);
    }

    [Fact]
    public void Ttl_jitter_should_spread_keys_and_stay_the_same_for_each()
    {
        var table = Table(["SET", "o:{id}", "x"]) with { Ttl = TimeSpan.FromSeconds(10), TtlJitter = TimeSpan.FromSeconds(10) };
        var plan = Compile(table, Orders);
        long Life(string id) => long.Parse(plan.Insert(id, "a", "1", "t", "n").Commands[1].Split('|')[2]);
        var lives = Enumerable.Range(0, 200).Select(i => Life(i.ToString())).ToArray();
        lives.ShouldAllBe(ms => ms >= 10_000 && ms <= 20_000);
        lives.Distinct().Count().ShouldBeGreaterThan(150);
        Life("7").ShouldBe(lives[7]);
    }

    [Fact]
    public void Tags_should_list_keys_and_follow_a_change()
    {
        var table = Table(["SET", "o:{id}", "x"]) with { Tags = ["tag:{status}"] };
        var plan = Compile(table, FullOrders);
        plan.Insert("1", "a", "1", "t", "n").Commands.ShouldBe(["SET|o:1|x", "SADD|tag:a|o:1"]);
        plan.Update(["1", "a", "1", "t", "n"], "1", "b", "1", "t", "n").Commands.ShouldBe(["SREM|tag:a|o:1", "SET|o:1|x", "SADD|tag:b|o:1"]);
        plan.Delete("1", "b", "1", "t", "n").Commands.ShouldBe(["DEL|o:1", "SREM|tag:b|o:1"]);
    }

    [Fact]
    public void Invalidate_should_delete_the_keys_instead_of_writing()
    {
        var table = Table(["SET", "o:{id}", "{status}"], ["HSET", "o:{id}", "f", "v"]) with { Action = TableAction.Invalidate };
        var plan = Compile(table, Orders);
        plan.Insert("1", "a", "1", "t", "n").Commands.ShouldBe(["DEL|o:1", "DEL|o:1"]);
        plan.Delete("1", Missing, Missing, Missing, Missing).Commands.ShouldBe(["DEL|o:1", "DEL|o:1"]);
    }

    [Fact]
    public void A_row_that_leaves_the_filter_should_be_removed_and_one_that_enters_be_inserted()
    {
        var table = Table() with { Insert = Rules(["SADD", "a", "{id}"]), Update = Rules(["INCR", "n"]), Delete = Rules(["SREM", "a", "{id}"]), When = Rows.Compare("status", ComparisonOperator.Equal, "on") };
        var plan = Compile(table, FullOrders);
        plan.Insert("1", "off", "1", "t", "n").Outcome.ShouldBe(MapOutcome.Nothing);
        plan.Update(["1", "on", "1", "t", "n"], "1", "off", "1", "t", "n").Commands.ShouldBe(["SREM|a|1"]);
        plan.Update(["1", "off", "1", "t", "n"], "1", "on", "1", "t", "n").Commands.ShouldBe(["SADD|a|1"]);
        plan.Update(["1", "off", "1", "t", "n"], "1", "off", "2", "t", "n").Outcome.ShouldBe(MapOutcome.Nothing);
        plan.Update(["1", "on", "1", "t", "n"], "1", "on", "2", "t", "n").Commands.ShouldBe(["INCR|n"]);
        plan.Delete("1", "off", "1", "t", "n").Outcome.ShouldBe(MapOutcome.Nothing);
    }

    [Fact]
    public void Column_filter_should_shape_the_star_forms()
    {
        var table = Table(["SET", "o:{id}", "{json:*}"], ["HSET", "h:{id}", "{pairs:*}"]) with
        {
            Columns = new ColumnFilter(Exclude: ["note", "active"], Rename: new Dictionary<string, string> { ["status"] = "state" }),
        };
        Compile(table, Orders, new MappingOptions(NumericMode.String, "at")).Insert("1", "a", "1.0", "t", "n").Commands.ShouldBe([
            "SET|o:1|{\"id\":1,\"state\":\"a\",\"amount\":\"1.0\",\"at\":\"2026-02-03T04:05:06.123456Z\"}",
            "HSET|h:1|id|1|state|a|amount|1.0|at|2026-02-03T04:05:06.123456Z"]);
    }

    [Fact]
    public void Columns_should_be_names() =>
        Compile(Table() with { Delete = Rules(["HDEL", "o:{id}", "{columns:*}"]) }, Orders).Delete("1", Missing, Missing, Missing, Missing).Commands
            .ShouldBe(["HDEL|o:1|id|status|amount|active|note"]);

    [Fact]
    public void Composite_keys_should_join_in_the_order_of_the_index()
    {
        var relation = Relation("a b c", primaryKey: "c,a");
        var plan = Compile(Table(["SET", "{%schema%}/{%table%}/{%pk%}/{%xid%}", "{b}"]), relation);
        var result = plan.Insert("1", "2", "3");
        result.Commands.ShouldBe(["SET|public/orders/3:1/7|2"]);
        result.Parts[0].Key.ShouldBe("public.orders:3:1");
    }

    [Fact]
    public void A_key_of_the_table_should_order_rows_and_name_the_key_left_behind()
    {
        var plan = Compile(Table(["XADD", "log", "*", "id", "{id}"]) with { Key = "customer:{status}" }, FullOrders);
        plan.Insert("1", "a", "1", "t", "n").Parts.Single().Key.ShouldBe("customer:a");
        plan.Update(["1", "a", "1", "t", "n"], "1", "a", "2", "t", "n").Parts.Single().Key.ShouldBe("customer:a");
        plan.Update(["1", "a", "1", "t", "n"], "1", "b", "1", "t", "n").Parts.Select(p => p.Key).ShouldBe(["customer:a", "customer:b"]);
    }

    [Fact]
    public void A_table_without_primary_key_should_be_ordered_as_a_whole()
    {
        var plan = Compile(Table(["RPUSH", "log", "{a}"]), Relation("a b", primaryKey: ""));
        plan.Insert("1", "2").Parts.Single().Key.ShouldBe("public.orders");
        Issues(Table(), Relation("a b", primaryKey: "")).ShouldContain(i => i.Contains("no primary key"));
    }

    [Fact]
    public void Truncate_commands_should_run_without_a_row()
    {
        var table = Table() with { Truncate = new TruncateConfig(TruncateMode.Commands, Rules(["DEL", "all:{%table%}"])) };
        Compile(table, Orders).Truncate().Commands.ShouldBe(["DEL|all:orders"]);
    }

    [Fact]
    public void What_the_stream_leaves_out_should_be_called_what_it_is_and_be_an_error_of_the_table()
    {
        static Relation With(params LeftOutColumn[] leftOut) => new()
        {
            Oid = 1,
            Schema = "public",
            Name = "orders",
            Identity = ReplicaIdentity.Default,
            Columns = [new RelationColumn("a", 0, ColumnType.Text, false)],
            PrimaryKey = [],
            LeftOut = leftOut,
        };
        static MappingIssue Error(TableConfig table, Relation relation) => TablePlanCompiler.Compile(table, relation, new MappingOptions()).Issues.First(i => i.Level == IssueLevel.Error);

        var generated = Error(Table(["SET", "o:{g}", "1"]), With(new LeftOutColumn("g", true, false)));
        generated.Message.ShouldStartWith("column 'g' of public.orders is generated, and the publication sends no generated columns");
        var leftOut = Error(Table(["SET", "o:{b}", "1"]), With(new LeftOutColumn("b", false, false)));
        leftOut.Message.ShouldBe("column 'b' is in public.orders, but the publication leaves it out; sent are a");
        Error(Table(), With(new LeftOutColumn("id", true, true))).Message.ShouldStartWith("{%pk%} is used but column id of the primary key of public.orders is generated");
        Error(Table(), With(new LeftOutColumn("id", false, true), new LeftOutColumn("di", false, true))).Message
            .ShouldBe("{%pk%} is used but columns id, di of the primary key of public.orders are left out by the publication; name other columns instead");
        (generated.Code, leftOut.Code).ShouldBe((ExitCode.Schema, ExitCode.Schema));
        Error(Table(["SET", "o:{a", "1"]), With()).Code.ShouldBe(ExitCode.Configuration);
    }

    [Fact]
    public void Missing_columns_and_thin_identities_should_be_named()
    {
        Issues(Table(["SET", "o:{nope}", "1"]), Orders).ShouldContain(i => i.StartsWith("Error: column 'nope' does not exist in public.orders"));
        Issues(Table() with { Update = Rules(["SREM", "s:{old:status}", "{id}"]) }, Orders)
            .ShouldContain(i => i.Contains("old values of status") && i.Contains("ALTER TABLE public.orders REPLICA IDENTITY FULL"));
        Issues(Table(["SET", "o:{id}", "{json:*}"]), Orders).ShouldContain(i => i.Contains("unchanged TOASTed"));
        Issues(Table(["SET", "o:{id}", "{status}"]), FullOrders).ShouldBeEmpty();
    }

    [Fact]
    public void A_difference_from_an_old_value_that_was_not_sent_should_be_counted_or_parked()
    {
        var table = Table() with { Update = Rules(["INCRBYFLOAT", "sum", "{diff:amount}"]), Delete = Rules(["INCRBYFLOAT", "sum", "{diff:amount}"]) };
        var relation = Relation("id amount/Numeric");
        var counting = Compile(table, relation);
        counting.Update(null, "1", "5").Skipped.ShouldBe(1);
        counting.Delete("1", Missing).Skipped.ShouldBe(1);
        counting.Update(["1", null], "1", "5").Skipped.ShouldBe(0, "NULL is known, and counts as 0");
        counting.Update(["1", "2"], "1", "5").Skipped.ShouldBe(0);
        var parking = Compile(table with { OnUnknownOldValue = UnknownOldValue.Park }, relation);
        parking.Update(null, "1", "5").ShouldSatisfyAllConditions(r => r.Outcome.ShouldBe(MapOutcome.Poison), r => r.Error.ShouldContain("PostgreSQL did not send the old value that '{diff:amount}' needs"));
        parking.Delete("1", Missing).Outcome.ShouldBe(MapOutcome.Poison);
        parking.Update(["1", null], "1", "5").Outcome.ShouldBe(MapOutcome.Mapped);
    }

    [Fact]
    public void The_cure_for_missing_old_values_should_name_the_partitions_that_lack_them()
    {
        var relation = Relation("id amount/Numeric", identity: ReplicaIdentity.Full);
        var narrow = new Relation
        {
            Oid = 1,
            Schema = "public",
            Name = "orders",
            Identity = ReplicaIdentity.Full,
            Columns = [relation.Columns[0], relation.Columns[1] with { InIdentity = false }],
            PrimaryKey = [0],
            Partitions = [new(2, "public", "o1", null), new(3, "Odd", "o 2", ["id"])],
        };
        Issues(Table(["INCRBYFLOAT", "sum", "{diff:amount}"]), narrow).ShouldContain(i =>
            i.Contains("(the replica identity of partition Odd.o 2 leaves them out); run ALTER TABLE \"Odd\".\"o 2\" REPLICA IDENTITY FULL"));
    }
}

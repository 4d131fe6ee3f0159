using Sync.Contracts.Configuration.Commands;

namespace Sync.Contracts.Tests.Configuration;

public class CommandTests
{
    /// <summary>Arity and key positions of Redis 7 (COMMAND INFO): a negative arity is a minimum.</summary>
    [Theory]
    [InlineData("SET", -3), InlineData("SETEX", 4), InlineData("MSET", -3), InlineData("INCR", 2), InlineData("DECR", 2), InlineData("INCRBY", 3), InlineData("DECRBY", 3)]
    [InlineData("APPEND", 3), InlineData("DEL", -2), InlineData("EXPIRE", -3), InlineData("HSET", -4), InlineData("HINCRBY", 4), InlineData("HDEL", -3), InlineData("SADD", -3)]
    [InlineData("SREM", -3), InlineData("ZADD", -4), InlineData("ZINCRBY", 4), InlineData("ZREM", -3), InlineData("XADD", -5), InlineData("XDEL", -3), InlineData("PUBLISH", 3)]
    [InlineData("UNLINK", -2), InlineData("PEXPIRE", -3), InlineData("PERSIST", 2), InlineData("HINCRBYFLOAT", 4), InlineData("INCRBYFLOAT", 3), InlineData("LPUSH", -3)]
    [InlineData("RPUSH", -3), InlineData("LREM", 4), InlineData("LTRIM", 4), InlineData("GEOADD", -5), InlineData("SETNX", 3), InlineData("GETDEL", 2), InlineData("XTRIM", -4)]
    [InlineData("JSON.SET", -4), InlineData("JSON.MERGE", 4), InlineData("JSON.DEL", -2)]
    public void Catalog_should_agree_with_Redis(string name, int arity)
    {
        CommandCatalog.TryGet(name.ToLowerInvariant(), out var command).ShouldBeTrue();
        command!.Name.ShouldBe(name);
        command.MinArguments.ShouldBe(Math.Abs(arity));
        if (arity > 0) command.MaxArguments.ShouldBe(arity);
        else (command.MaxArguments > command.MinArguments || command.MaxArguments is null).ShouldBeTrue();
    }

    [Fact]
    public void Catalog_should_hold_no_other_command() => CommandCatalog.All.Count.ShouldBe(37);

    [Theory]
    [InlineData("HSET", "1")]
    [InlineData("XADD", "1")]
    [InlineData("MSET", "1 3 5")]
    [InlineData("DEL", "1 2 3 4 5")]
    [InlineData("UNLINK", "1 2 3 4 5")]
    [InlineData("PUBLISH", "")]
    public void Keys_should_be_where_Redis_has_them(string name, string indexes)
    {
        CommandCatalog.TryGet(name, out var command).ShouldBeTrue();
        string.Join(' ', Enumerable.Range(0, 6).Where(command!.IsKey)).ShouldBe(indexes);
    }

    [Theory]
    [InlineData(CommandNature.Write, "SET SETEX SETNX MSET HSET JSON.SET JSON.MERGE")]
    [InlineData(CommandNature.AddMember, "SADD ZADD GEOADD")]
    [InlineData(CommandNature.Accumulate, "INCR DECR INCRBY DECRBY INCRBYFLOAT APPEND HINCRBY HINCRBYFLOAT ZINCRBY XADD LPUSH RPUSH")]
    [InlineData(CommandNature.Remove, "DEL UNLINK GETDEL HDEL SREM ZREM XDEL LREM LTRIM XTRIM JSON.DEL")]
    [InlineData(CommandNature.Expire, "EXPIRE PEXPIRE PERSIST")]
    [InlineData(CommandNature.Publish, "PUBLISH")]
    public void Natures_should_be_as_the_mapping_expects(CommandNature nature, string names) =>
        string.Join(' ', CommandCatalog.All.Where(c => c.Nature == nature).Select(c => c.Name)).ShouldBe(names);

    [Theory]
    [InlineData("SET|k|v")]
    [InlineData("set|k|v|ex|60|nx")]
    [InlineData("SET|k|v|PX|{ms}|XX")]
    [InlineData("SET|k|v|KEEPTTL|XX")]
    [InlineData("SET|k|{json:*}")]
    [InlineData("SETEX|k|60|v")]
    [InlineData("SETEX|k|{ttl}|v")]
    [InlineData("MSET|a|1|b|2")]
    [InlineData("MSET|{pairs:*}")]
    [InlineData("HSET|k|{pairs:*}")]
    [InlineData("HSET|k|a|{a}|b|{b}")]
    [InlineData("HSET|k|a|1|{pairs:b,c}")]
    [InlineData("HDEL|k|{columns:*}")]
    [InlineData("DEL|{columns:a,b}")]
    [InlineData("ZADD|k|{score}|{id}")]
    [InlineData("ZADD|k|GT|CH|{score}|{id}|1|x")]
    [InlineData("GEOADD|k|NX|{lon}|{lat}|{id}")]
    [InlineData("EXPIRE|k|60|gt")]
    [InlineData("LTRIM|k|0|-1")]
    [InlineData("XADD|k|*|a|1")]
    [InlineData("XADD|k|*|{pairs:*}")]
    [InlineData("XADD|k|NOMKSTREAM|MAXLEN|~|1000|LIMIT|10|*|{pairs:*}")]
    [InlineData("XADD|k|maxlen|1000|*|a|1")]
    [InlineData("XADD|k|MINID|=|{id}-0|{id}-*|a|1")]
    [InlineData("XADD|k|5-1|a|1")]
    [InlineData("XTRIM|k|MAXLEN|1000")]
    [InlineData("XTRIM|k|MINID|~|5-1|LIMIT|5")]
    [InlineData("JSON.SET|k|$|{json:*}|NX")]
    [InlineData("json.del|k")]
    [InlineData("PUBLISH|channel|{id}")]
    public void Sound_command_should_pass(string command) => CommandCheck.Find(command.Split('|')).ShouldBeNull();

    [Theory]
    [InlineData("GET|k", 0, "unknown command 'GET' (did you mean 'SET'?)")]
    [InlineData("EVAL|return 1|0", 0, "unknown command 'EVAL'")]
    [InlineData("INCR", 0, "INCR takes 1 argument after its name, not 0")]
    [InlineData("INCR|k|1", 0, "INCR takes 1 argument after its name, not 2")]
    [InlineData("SETEX|k|v", 0, "SETEX takes 3 arguments after its name, not 2")]
    [InlineData("EXPIRE|k|1|NX|x", 0, "EXPIRE takes 2 to 3 arguments after its name, not 4")]
    [InlineData("DEL", 0, "DEL takes at least 1 argument after its name, not 0")]
    [InlineData("HSET|{pairs:*}", 0, "HSET takes at least 2 arguments after its name, not 1")]
    [InlineData("HSET|k|a|1|b", 0, "HSET takes pairs of field and value, and here one is incomplete")]
    [InlineData("HSET|k|{{pairs:*}}|1|b", 0, "HSET takes pairs of field and value, and here one is incomplete")]
    [InlineData("MSET|a|1|b", 0, "MSET takes pairs of key and value, and here one is incomplete")]
    [InlineData("ZADD|k|CH|1", 0, "ZADD takes pairs of score and member, and here one is incomplete")]
    [InlineData("GEOADD|k|1|2|a|3", 0, "GEOADD takes longitude, latitude and member, and here one is incomplete")]
    [InlineData("SET|k|v|EX", 3, "SET's EX needs a number after it")]
    [InlineData("SET|k|v|EX|soon", 4, "SET needs a whole number of at least 1 here, not 'soon'")]
    [InlineData("SET|k|v|EX|0", 4, "SET needs a whole number of at least 1 here, not '0'")]
    [InlineData("SET|k|v|EX|1|KEEPTTL", 5, "SET can't have both EX and KEEPTTL")]
    [InlineData("SET|k|v|NX|XX", 4, "SET can't have both NX and XX")]
    [InlineData("SET|k|v|{option}", 3, "SET doesn't know the option '{option}' here")]
    [InlineData("EXPIRE|k|soon", 2, "EXPIRE needs a whole number here, not 'soon'")]
    [InlineData("EXPIRE|k|1|ZZ", 3, "EXPIRE doesn't know the option 'ZZ' here; it takes NX, XX, GT, LT")]
    [InlineData("LTRIM|k|0|end", 3, "LTRIM needs a whole number here, not 'end'")]
    [InlineData("XADD|k|now|a|1", 2, "XADD needs an id, such as *, before its fields, not 'now'")]
    [InlineData("XADD|k|*|a|1|b", 0, "XADD takes pairs of field and value after the id, and here one is incomplete")]
    [InlineData("XADD|k|MAXLEN|~|many|*|a|1", 4, "XADD needs a whole number of at least 0 here, not 'many'")]
    [InlineData("XADD|k|MAXLEN|5|LIMIT|5|*|a|1", 4, "LIMIT is allowed only after ~")]
    [InlineData("XADD|k|MINID|x|*|a|1", 3, "MINID needs an id such as 1526919030474-0, not 'x'")]
    [InlineData("XADD|k|MAXLEN|~|5", 0, "XADD needs an id, such as *, before its fields")]
    [InlineData("XADD|k|NOMKSTREAM|MAXLEN|5|*", 0, "XADD needs at least one field and value after the id")]
    [InlineData("XTRIM|k|LEN|5", 2, "XTRIM needs MAXLEN or MINID here, not 'LEN'")]
    [InlineData("XTRIM|k|MAXLEN|~", 3, "MAXLEN needs a threshold after it")]
    [InlineData("XTRIM|k|MAXLEN|~|5|LIMIT", 5, "LIMIT needs a count after it")]
    [InlineData("XTRIM|k|MAXLEN|5|x", 4, "XTRIM doesn't know the option 'x' here")]
    [InlineData("PUBLISH|c|{pairs:a}", 2, "PUBLISH takes one value, and '{pairs:a}' becomes fields and values; use {json:…} for one text")]
    [InlineData("SET|k|{pairs:*}", 2, "SET takes one value, and '{pairs:*}' becomes fields and values; use {json:…} for one text")]
    [InlineData("JSON.SET|k|$|1|KEEPTTL", 4, "JSON.SET doesn't know the option 'KEEPTTL' here; it takes NX, XX")]
    public void Unsound_command_should_be_refused(string command, int argument, string message) =>
        CommandCheck.Find(command.Split('|')).ShouldBe(new CommandProblem(message, argument));

    [Theory]
    [InlineData("{pairs:*}", true)]
    [InlineData("{pairs:a,b}", true)]
    [InlineData("{columns:*}", true)]
    [InlineData("{{literal}}{pairs:*}", true)]
    [InlineData("{json:*}", false)]
    [InlineData("{pairs}", false)]
    [InlineData("{{pairs:*}}", false)]
    [InlineData("{{open", false)]
    [InlineData("{", false)]
    [InlineData("", false)]
    public void Expansion_should_be_recognised(string argument, bool expands) => CommandCheck.IsExpansion(argument).ShouldBe(expands);
}

using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;

namespace Sync.Contracts.Tests.Configuration;

/// <summary>A whole file in the grammar of pg2redis 0.4 runs unchanged, and its environment overrides work.</summary>
public class ReferenceFileTests
{
    static SyncConfig Load(params (string, string)[] environment) =>
        Given.Config(File.ReadAllText(Given.RepositoryFile("tests/Sync.Contracts.Tests/Configuration/reference.yaml")), environment);

    [Fact]
    public void Reference_file_should_load_without_a_warning()
    {
        var result = Given.Try(File.ReadAllText(Given.RepositoryFile("tests/Sync.Contracts.Tests/Configuration/reference.yaml")));
        result.Errors.ShouldBeEmpty();
        result.Warnings.ShouldBeEmpty();
    }

    [Fact]
    public void Units_should_be_those_of_each_key()
    {
        var config = Load();
        (config.WriteTimeout, config.ShutdownTimeout, config.StatsInterval, config.RetryPolicy.InitialBackoff)
            .ShouldBe((TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(500)));
    }

    [Fact]
    public void Tables_should_keep_their_order_and_forms()
    {
        var tables = Load().Tables;
        tables.Select(t => t.FullName).ShouldBe(
            ["public.customers", "public.products", "inventory.stock", "public.orders", "public.order_items", "public.prices", "Audit Log.entry.v1"]);
        tables.Take(3).ShouldAllBe(t => t.Commands == null && !t.IsPerOperation);
        tables[3].IsPerOperation.ShouldBeTrue();
        tables[4].Commands![0].Commands[0].Arguments.ShouldBe(["HSET", "{%schema%}:{%table%}:{%pk%}", "{pairs:product_id,quantity}"]);
        tables[4].Commands![1].Commands[0].Arguments[2].ShouldBe("86400");
    }

    [Fact]
    public void Groups_should_stay_together_under_their_condition()
    {
        var rule = Load().Tables[3].Update!.Single(r => r.Commands.Count == 2);
        rule.Condition.ShouldBeOfType<ComparisonCondition>().Values.ShouldBe(["{old:status}"]);
        rule.Commands.Select(c => c.Arguments[0]).ShouldBe(["SREM", "SADD"]);
    }

    [Fact]
    public void Every_operator_should_be_read()
    {
        var operators = Load().Tables.SelectMany(t => t.Commands ?? []).Concat(Load().Tables[3].Insert!).Concat(Load().Tables[3].Update!)
            .Select(r => r.Condition).OfType<ComparisonCondition>().Select(c => c.Operator).Distinct();
        operators.ShouldBe(Enum.GetValues<ComparisonOperator>(), ignoreOrder: true);
    }

    [Fact]
    public void Every_command_of_the_reference_should_be_used()
    {
        string[] commands = ["SET", "SETEX", "MSET", "INCR", "DECR", "INCRBY", "DECRBY", "APPEND", "DEL", "EXPIRE", "HSET", "HINCRBY", "HDEL", "SADD", "SREM", "ZADD", "ZINCRBY", "ZREM", "XADD", "XDEL", "PUBLISH"];
        Load().Tables.SelectMany(t => (t.Commands ?? []).Concat(t.Insert ?? []).Concat(t.Update ?? []).Concat(t.Delete ?? []))
            .SelectMany(r => r.Commands).Select(c => c.Arguments[0]).Distinct().ShouldBe(commands, ignoreOrder: true);
        commands.ShouldBeSubsetOf(CommandCatalog.All.Select(c => c.Name));
    }

    [Fact]
    public void Overrides_should_beat_the_file()
    {
        var config = Load(
            ("PG2REDIS_POSTGRES_CONN_HOST", "db"), ("PG2REDIS_POSTGRES_CONN_PASSWORD", "other"), ("PG2REDIS_REDIS_CONN_DATABASE", "0"), ("PG2REDIS_FLUSHWORKERS", "1"),
            ("PG2REDIS_T_0_NAME", "public.orders"), ("PG2REDIS_T_0_DELETE_COMMANDS_0", "DEL/order:{id}"),
            ("PG2REDIS_T_1_NAME", "public.reviews"), ("PG2REDIS_T_1_COMMANDS_0", "HSET/review:{id}/{pairs:*}"),
            ("PG2REDIS_T_1_COMMANDS_1_COMMAND_0", "SADD/reviews:good/{id}"), ("PG2REDIS_T_1_COMMANDS_1_CONDITION_COLUMN", "stars"),
            ("PG2REDIS_T_1_COMMANDS_1_CONDITION_OP", ">="), ("PG2REDIS_T_1_COMMANDS_1_CONDITION_VALUE", "4"));
        config.Postgres.Conn.Hosts.ShouldBe([new("db", 5432)]);
        (config.Postgres.Conn.Password.Reveal(), config.Postgres.Conn.User, config.Redis.Conn.Database, config.FlushWorkers).ShouldBe(("other", "replicator", 0, 1));
        TableConfigTests.Text(config.Tables[3].Delete).ShouldBe("DEL order:{id}");
        config.Tables[3].Insert!.Count.ShouldBe(5);
        TableConfigTests.Text(config.Tables[7].Commands).ShouldBe("HSET review:{id} {pairs:*}; SADD reviews:good {id}");
        config.Tables[7].Commands![1].Condition.ShouldBeOfType<ComparisonCondition>().Operator.ShouldBe(ComparisonOperator.GreaterOrEqual);
    }
}

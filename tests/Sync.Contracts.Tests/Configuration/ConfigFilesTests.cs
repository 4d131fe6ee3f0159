using Sync.Contracts.Configuration;
using Sync.Testing;

namespace Sync.Contracts.Tests.Configuration;

public class ConfigFilesTests
{
    static string FileFor(string publication) => $"postgres: {{repl: {{pub: {publication}, slot: s}}}}\n{Given.Table}";

    static string Found(string? explicitPath, Dictionary<string, string> environment, params string[] existing)
    {
        var config = ConfigLoader.Load(explicitPath, environment, "/work", path => existing.Contains(path) ? FileFor(path.Replace('/', '_')) : null);
        config.Postgres.Repl.Pub.ShouldNotBeEmpty();
        return $"{config.Source} {config.Postgres.Repl.Pub.Replace('_', '/')}";
    }

    [Fact]
    public void Files_should_be_looked_for_in_order()
    {
        string[] all = ["/work/x.yaml", "/work/a.yaml", "/p.yaml", "/work/config.yaml", "/etc/actorsync/config.yaml", "/etc/pg2redis/config.yaml"];
        var both = Given.Environment(("ACTORSYNC_CONFIG_PATH", "a.yaml"), ("PG2REDIS_CONFIG_PATH", "/p.yaml"));
        Found("x.yaml", both, all).ShouldBe("x.yaml /work/x.yaml");
        Found(null, both, all).ShouldBe("a.yaml /work/a.yaml");
        Found(null, Given.Environment(("PG2REDIS_CONFIG_PATH", "/p.yaml")), all).ShouldBe("/p.yaml /p.yaml");
        Found(null, [], all).ShouldBe("config.yaml /work/config.yaml");
        Found(null, [], all[4..]).ShouldBe("/etc/actorsync/config.yaml /etc/actorsync/config.yaml");
        Found(null, [], all[5..]).ShouldBe("/etc/pg2redis/config.yaml /etc/pg2redis/config.yaml");
    }

    [Theory]
    [InlineData("nope.yaml", null, "--config: the file 'nope.yaml' does not exist; name an existing one")]
    [InlineData("", null, "--config: the file '' does not exist; name an existing one")]
    [InlineData(null, "nope.yaml", "ACTORSYNC_CONFIG_PATH: the file 'nope.yaml' does not exist; name an existing one")]
    public void Named_file_that_is_missing_should_be_an_error(string? path, string? variable, string expected)
    {
        var environment = variable is null ? [] : Given.Environment(("ACTORSYNC_CONFIG_PATH", variable));
        var thrown = Should.Throw<SyncException>(() => ConfigLoader.Load(path, environment, "/work", p => p == "/work/config.yaml" ? FileFor("p") : null));
        (thrown.Code, thrown.Message).ShouldBe((ExitCode.Configuration, expected));
    }

    [Fact]
    public void No_configuration_at_all_should_say_where_it_was_looked_for() =>
        Should.Throw<SyncException>(() => ConfigLoader.Load(null, Given.Environment(("PATH", "/bin")), "/work", _ => null)).Message.ShouldBe(
            "environment: there is no configuration: name a file with --config, set ACTORSYNC_… variables, or create one of config.yaml, /etc/actorsync/config.yaml, /etc/pg2redis/config.yaml");

    [Fact]
    public void Files_should_be_read_from_the_disk()
    {
        using var folder = new Sandbox();
        File.WriteAllText(folder.File("config.yaml"), "\uFEFF" + FileFor("p").Replace("\n", "\r\n") + "redis: {conn: {tls: {rootCert: ca.pem}}}");
        var config = ConfigLoader.Load(null, Given.NoEnvironment, folder.Path);
        config.Redis.Conn.Tls!.RootCert.ShouldBe(folder.File("ca.pem"));
        Should.Throw<SyncException>(() => ConfigLoader.Load(".", Given.NoEnvironment, folder.Path)).Message.ShouldBe("--config: the file '.' can't be read: it is a folder");
        Should.Throw<SyncException>(() => ConfigLoader.Load("other.yaml", Given.NoEnvironment, folder.Path)).Message.ShouldContain("other.yaml");
    }

    [Fact]
    public void Relative_paths_should_start_at_the_files_folder_and_those_of_variables_at_the_working_one()
    {
        string yaml = FileFor("p") + "redis: {conn: {tls: {rootCert: ca.pem}}}";
        var config = ConfigLoader.Load("/etc/x/c.yaml", Given.Environment(("ACTORSYNC_POSTGRES_CONN_TLS_ROOTCERT", "pg.pem")), "/work", _ => yaml);
        (config.Redis.Conn.Tls!.RootCert, config.Postgres.Conn.Tls!.RootCert).ShouldBe(("/etc/x/ca.pem", "/work/pg.pem"));
    }

    [Fact]
    public void Dotenv_file_should_be_loaded_first_and_the_environment_should_beat_it()
    {
        const string DotEnv = """
            # a comment
            ACTORSYNC_CONFIG_PATH=c.yaml

            export ACTORSYNC_REDIS_CONN_HOST = cache   # not the host
            ACTORSYNC_REDIS_CONN_USER='a # b'
            ACTORSYNC_REDIS_CONN_PASSWORD="q\"\\\n\x" # end
            ACTORSYNC_DEBUG=true
            OTHER=ignored
            EMPTY=
            """;
        var config = ConfigLoader.Load(
            null, Given.Environment(("ENV_FILE", ".env"), ("ACTORSYNC_DEBUG", "false")), "/work",
            path => path switch { "/work/.env" => DotEnv, "/work/c.yaml" => FileFor("p"), _ => null });
        config.Source.ShouldBe("c.yaml");
        var redis = config.Redis.Conn;
        (redis.Host, redis.User, redis.Password.Reveal(), config.Debug).ShouldBe(("cache", "a # b", "q\"\\\n\\x", false));
    }

    [Theory]
    [InlineData("hunter2", ".env:1:1: this line is not of the form NAME=value")]
    [InlineData("=hunter2", ".env:1:1: this line is not of the form NAME=value")]
    [InlineData("\nA B=hunter2", ".env:2:1: this line is not of the form NAME=value")]
    [InlineData("A=\"hunter2", ".env:1:1: the quoted value of A does not end on its line")]
    [InlineData("A='hunter2' x", ".env:1:1: the quoted value of A does not end on its line")]
    public void Dotenv_mistake_should_be_named_without_its_text(string dotEnv, string expected)
    {
        var result = ConfigLoader.TryLoad(null, Given.Environment(("ENV_FILE", ".env")), "/work", path => path == "/work/.env" ? dotEnv : FileFor("p"));
        result.Errors.ShouldHaveSingleItem().ToString().ShouldBe(expected);
    }

    [Fact]
    public void Missing_dotenv_file_should_be_an_error() =>
        ConfigLoader.TryLoad(null, Given.Environment(("ENV_FILE", "x.env")), "/work", path => path == "/work/config.yaml" ? FileFor("p") : null)
            .Errors.ShouldHaveSingleItem().ToString().ShouldBe("ENV_FILE: the file 'x.env' does not exist; name an existing one");
}

using Sync.Contracts.Configuration;

namespace Sync.Contracts.Tests.Configuration;

/// <summary>One way of writing addresses for every key that holds one.</summary>
public class AddressTests
{
    const string Repl = "postgres: {repl: {pub: p, slot: s}";

    [Theory]
    [InlineData("db", "db", null)]
    [InlineData(" db:5433 ", "db", 5433)]
    [InlineData("my_host.example.com.", "my_host.example.com.", null)]
    [InlineData("bücher.example:1", "bücher.example", 1)]
    [InlineData("127.0.0.1", "127.0.0.1", null)]
    [InlineData("127.0.0.1:5433", "127.0.0.1", 5433)]
    [InlineData("::1", "::1", null)]
    [InlineData("::", "::", null)]
    [InlineData("fd00::1:2", "fd00::1:2", null)]
    [InlineData("::ffff:10.0.0.1", "::ffff:10.0.0.1", null)]
    [InlineData("fe80::1%1", "fe80::1%1", null)]
    [InlineData("[::1]", "::1", null)]
    [InlineData("[::1]:65535", "::1", 65535)]
    public void Address_should_be_read(string text, string host, int? port)
    {
        AddressText.TryParse(text, UnixSocket.None, out var address, out string problem).ShouldBeTrue(problem);
        address.ShouldBe(new AddressText(host, port));
    }

    [Theory]
    [InlineData(UnixSocket.Folder, "/run/postgresql", "/run/postgresql", null)]
    [InlineData(UnixSocket.Folder, "/run/postgresql/", "/run/postgresql", null)]
    [InlineData(UnixSocket.Folder, "/tmp:5433", "/tmp", 5433)]
    [InlineData(UnixSocket.File, "/run/redis.sock", "/run/redis.sock", null)]
    [InlineData(UnixSocket.File, "/run/a:1", "/run/a:1", null)]
    public void Path_of_a_socket_should_be_read(UnixSocket socket, string text, string host, int? port)
    {
        AddressText.TryParse(text, socket, out var address, out string problem).ShouldBeTrue(problem);
        address.ShouldBe(new AddressText(host, port));
    }

    [Theory]
    [InlineData("", "the host is empty")]
    [InlineData(":5432", "the host is empty")]
    [InlineData("[]", "'' is no IPv6 address")]
    [InlineData("[::1", "its bracket is not closed")]
    [InlineData("[db]:5432", "'db' is no IPv6 address")]
    [InlineData("[127.0.0.1]:5432", "'127.0.0.1' is no IPv6 address")]
    [InlineData("[::1]5432", "only :port may follow the bracket")]
    [InlineData("[::1]:", "'' is no port from 1 to 65535")]
    [InlineData("db:", "'' is no port from 1 to 65535")]
    [InlineData("db:0", "'0' is no port from 1 to 65535")]
    [InlineData("db:65536", "'65536' is no port from 1 to 65535")]
    [InlineData("db:+1", "'+1' is no port from 1 to 65535")]
    [InlineData("db:5432:5433", "that is no IPv6 address; one with a port stands in brackets")]
    [InlineData("::1/64", "that is no IPv6 address; one with a port stands in brackets")]
    [InlineData("10.0.0.256", "'10.0.0.256' is no IPv4 address")]
    [InlineData("a b", "'a b' is no host name")]
    [InlineData("a..b", "'a..b' is no host name")]
    [InlineData("a,b", "'a,b' is no host name")]
    [InlineData("run/postgresql", "the path of a Unix socket begins with a slash")]
    [InlineData("/run/postgresql", "a Unix socket can't be used here")]
    [InlineData("a\0b", "it holds a NUL character")]
    public void Text_that_is_no_address_should_be_refused_with_the_reason(string text, string reason)
    {
        AddressText.TryParse(text, UnixSocket.None, out _, out string problem).ShouldBeFalse();
        problem.ShouldStartWith("must be host, host:port, an IPv6 address or [IPv6 address]:port, not '");
        problem.ShouldEndWith(": " + reason);
    }

    [Theory]
    [InlineData("postgres://app:hidden@db:5432/shop")]
    [InlineData("app:hidden@db")]
    public void Url_should_be_refused_without_showing_its_password(string text)
    {
        AddressText.TryParse(text, UnixSocket.Folder, out _, out string problem).ShouldBeFalse();
        problem.ShouldEndWith("not a URL; user, password and database have keys of their own");
        problem.ShouldNotContain("hidden");
    }

    [Fact]
    public void Path_that_no_socket_can_have_should_be_refused()
    {
        string path = "/" + new string('a', 106);
        AddressText.TryParse(path, UnixSocket.File, out _, out _).ShouldBeTrue();
        AddressText.TryParse(path + "a", UnixSocket.File, out _, out string problem).ShouldBeFalse();
        problem.ShouldEndWith("the path of a Unix socket may have 107 bytes here");
        // /.s.PGSQL.65535 comes behind it.
        AddressText.TryParse("/" + new string('a', 91), UnixSocket.Folder, out _, out _).ShouldBeTrue();
        AddressText.TryParse("/" + new string('a', 92), UnixSocket.Folder, out _, out problem).ShouldBeFalse();
        problem.ShouldEndWith("the path of a Unix socket may have 92 bytes here");
        AddressText.TryParse("/tmp/a:b", UnixSocket.Folder, out _, out problem).ShouldBeFalse();
        problem.ShouldEndWith("a folder whose name holds a colon can't be used");
    }

    [Theory]
    [InlineData("host: '127.0.0.1:5433'", "127.0.0.1:5433")]
    [InlineData("host: '127.0.0.1:5433', port: 5433", "127.0.0.1:5433")]
    [InlineData("host: '[::1]:5433'", "[::1]:5433")]
    [InlineData("host: '[::1]'", "[::1]:5432")]
    [InlineData("host: '::1', port: 5433", "[::1]:5433")]
    [InlineData("host: 'a:1,b,[fd00::1]:3'", "a:1 b:5432 [fd00::1]:3")]
    [InlineData("host: 'a:1,b', port: '1,2'", "a:1 b:2")]
    [InlineData("host: [a, 'b:2'], port: 2", "a:2 b:2")]
    [InlineData("host: '/tmp,/run/postgresql:5433'", "/tmp:5432 /run/postgresql:5433")]
    public void Hosts_of_PostgreSQL_should_carry_their_ports(string conn, string expected) =>
        string.Join(' ', Given.Config($"{Repl}, conn: {{{conn}}}}}\n{Given.Table}").Postgres.Conn.Hosts).ShouldBe(expected);

    [Theory]
    [InlineData("host: 'cache:6380'", "cache", 6380)]
    [InlineData("host: '::1'", "::1", 6379)]
    [InlineData("host: '[::1]:6380', port: 6380", "::1", 6380)]
    [InlineData("host: '/run/redis, b.sock'", "/run/redis, b.sock", 6379)]
    [InlineData("port: 6380", "localhost", 6380)]
    public void Host_of_Redis_may_carry_its_port(string conn, string host, int port)
    {
        var found = Given.Config($"{Repl}}}\nredis: {{conn: {{{conn}}}}}\n{Given.Table}").Redis.Conn;
        (found.Host, found.Port).ShouldBe((host, port));
    }

    [Theory]
    [InlineData(Repl + ", conn: {host: '127.0.0.1:5433', port: 5432}}", "config.yaml:1:50: 'postgres.conn.host' says port 5433 for 127.0.0.1 and 'postgres.conn.port' says 5432: name the port in one of them")]
    [InlineData(Repl + ", conn: {host: 'a:1,b', port: '2,3'}}", "config.yaml:1:50: 'postgres.conn.host' says port 1 for a and 'postgres.conn.port' says 2: name the port in one of them")]
    [InlineData(Repl + ", conn: {host: ['a', 'b:x']}}", "config.yaml:1:56: 'postgres.conn.host' must be host, host:port, an IPv6 address or [IPv6 address]:port, or the folder of a Unix socket, not 'b:x': 'x' is no port from 1 to 65535")]
    [InlineData(Repl + "}\nredis: {conn: {host: 'a:1', port: 2}}", "config.yaml:2:22: 'redis.conn.host' says port 1 for a and 'redis.conn.port' says 2: name the port in one of them")]
    [InlineData(Repl + "}\nredis: {conn: {host: 'a,b'}}", "config.yaml:2:22: 'redis.conn.host' names several hosts and can name one: nodes of a Redis Cluster belong in 'redis.nodes', Sentinels in 'redis.sentinel.hosts'")]
    [InlineData(Repl + "}\nredis: {nodes: ['a', '/run/redis.sock']}", "config.yaml:2:22: 'redis.nodes' must be host, host:port, an IPv6 address or [IPv6 address]:port, not '/run/redis.sock': a Unix socket can't be used here")]
    [InlineData(Repl + "}\nredis: {sentinel: {masterName: m, hosts: 'a:b:c'}}", "config.yaml:2:42: 'redis.sentinel.hosts' must be host, host:port, an IPv6 address or [IPv6 address]:port, not 'a:b:c': that is no IPv6 address; one with a port stands in brackets")]
    [InlineData(Repl + "}\nhttp: {host: '127.0.0.1:7718'}", "config.yaml:2:14: 'http.host' must be a host name or an IP address without a port, not '127.0.0.1:7718': the port belongs in 'http.port'")]
    [InlineData(Repl + "}\nhttp: {host: 'a b'}", "config.yaml:2:14: 'http.host' must be a host name or an IP address, not 'a b'")]
    [InlineData(Repl + "}\ncluster: {publicHost: '[fd00::1]:1'}", "config.yaml:2:23: 'cluster.publicHost' must be a host name or an IP address without a port, not '[fd00::1]:1': the port belongs in 'cluster.port'")]
    public void Address_that_can_not_be_used_should_be_named_with_its_position(string head, string expected) =>
        Given.Errors(head + "\n" + Given.Table).ShouldBe(expected);

    [Fact]
    public void Port_in_a_variable_that_contradicts_the_host_should_be_named() =>
        Given.Errors($"{Repl}, conn: {{host: 'db:5433'}}}}\n{Given.Table}", ("ACTORSYNC_POSTGRES_CONN_PORT", "5432")).ShouldContain("'postgres.conn.host' says port 5433 for db");

    [Fact]
    public void Brackets_without_quotes_are_a_list_in_YAML_and_a_port_behind_them_is_refused_with_its_position()
    {
        Given.Config($"{Repl}, conn: {{host: [::1]}}}}\n{Given.Table}").Postgres.Conn.Hosts.ShouldBe([new HostPort("::1", 5432)]);
        Given.Errors($"{Repl}, conn: {{host: [::1]:5433}}}}\n{Given.Table}").ShouldStartWith("config.yaml:1:55: this is not valid YAML");
    }
}

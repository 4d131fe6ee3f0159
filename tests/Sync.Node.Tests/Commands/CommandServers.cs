using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary>A PostgreSQL that asks for a password and a Redis, for the tests of the command line; databases, slots and key spaces are each test's own.</summary>
public sealed class CommandServers : IAsyncLifetime
{
    public const string Password = "s3cret-of-postgres";

    public PostgresServer Postgres { get; private set; } = null!;
    public RedisServer Redis { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Postgres = await PostgresServer.StartAsync(new PostgresServerOptions { Password = Password, Settings = ["max_replication_slots = 30", "max_wal_senders = 30"] });
        Redis = await RedisServer.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await Postgres.DisposeAsync();
        Redis.Dispose();
    }
}

/// <summary>Commands that look at files and servers. Like every collection it has servers of its own, see <see cref="Hosting.ServersCollection"/>.</summary>
[CollectionDefinition(Name)]
public sealed class CommandCollection : ICollectionFixture<CommandServers>
{
    public const string Name = "command line";
}

/// <summary>Commands that run a node, or ask one that runs.</summary>
[CollectionDefinition(Name)]
public sealed class NodeCommandCollection : ICollectionFixture<CommandServers>
{
    public const string Name = "command line with a node";
}

/// <summary>Clusters whose nodes are operated from the command line.</summary>
[CollectionDefinition(Name)]
public sealed class ClusterCommandCollection : ICollectionFixture<CommandServers>
{
    public const string Name = "command line with a cluster";
}

/// <summary>A database with a schema, a folder with a configuration, and the program to run there.</summary>
sealed class Workplace : IDisposable
{
    readonly CommandServers servers;

    Workplace(CommandServers servers, string database)
    {
        this.servers = servers;
        Database = database;
    }

    public string Database { get; }
    public string Slot => Database;
    public Sandbox Folder { get; } = new();
    public Dictionary<string, string> Environment { get; } = new() { ["ACTORSYNC_POSTGRES_CONN_PASSWORD"] = CommandServers.Password };

    public static async Task<Workplace> CreateAsync(CommandServers servers, string schema = "create table orders (id int primary key, note text)", string encoding = "UTF8")
    {
        var place = new Workplace(servers, await servers.Postgres.CreateDatabaseAsync(encoding));
        await place.SqlAsync(schema);
        return place;
    }

    public Task SqlAsync(string sql) => servers.Postgres.ExecuteAsync(sql, Database);

    /// <summary>Writes config.yaml; <paramref name="tables"/> is the list under <c>tables</c>.</summary>
    public Workplace Configure(string tables = "- orders", string repl = "", string redis = "", string more = "http: { port: 0 }")
    {
        File.WriteAllText(Folder.File("config.yaml"), $$"""
            postgres:
              conn: { host: 127.0.0.1, port: {{servers.Postgres.Port}}, database: {{Database}}, user: postgres }
              repl: { pub: pub, slot: {{Slot}}{{repl}} }
            redis:
              conn: { host: 127.0.0.1, port: {{servers.Redis.Port}}{{redis}} }
            {{more}}
            tables:
            {{string.Join('\n', tables.Split('\n').Select(line => "  " + line))}}

            """);
        return this;
    }

    public Task<Ended> RunAsync(params string[] arguments) => Program.RunAsync(Folder, Environment, arguments);

    public Program Start(params string[] arguments) => Program.Start(Folder, Environment, arguments);

    public void Dispose() => Folder.Dispose();
}

using System.Net;
using System.Net.Sockets;
using Npgsql;
using Shop;
using Sync.Contracts;

namespace Sync.Node.Demo;

/// <summary>
/// A PostgreSQL and a Redis of the demo's own, in a temporary folder and on free loopback ports. Both end, and the folder
/// goes, when this is disposed.
/// </summary>
sealed class PrivateServers : IAsyncDisposable
{
    readonly List<ChildProcess> servers = [];
    readonly DemoGuard guard;

    PrivateServers(string folder, IReadOnlyList<int> ports)
    {
        Folder = folder;
        (PostgresPort, RedisPort, HttpPort, ShopPort) = (ports[0], ports[1], ports[2], ports[3]);
        guard = DemoGuard.Start(folder);
    }

    public string Folder { get; }
    public int PostgresPort { get; }
    public int RedisPort { get; }

    /// <summary>A free port for the node's HTTP endpoint.</summary>
    public int HttpPort { get; }

    /// <summary>A free port for the shop's pages.</summary>
    public int ShopPort { get; }

    public IReadOnlyList<ChildProcess> Processes => servers;

    /// <summary>For the demo's own reading and writing; values come as PostgreSQL's text in UTC, as the node sends them.</summary>
    public string ConnectionString =>
        $"Host=127.0.0.1;Port={PostgresPort};Database=shop;Username=postgres;SSL Mode=Disable;Options=-c timezone=UTC -c datestyle=ISO";

    public static async Task<PrivateServers> StartAsync(CancellationToken ct)
    {
        string folder = Directory.CreateTempSubdirectory("actorsync-demo-").FullName;
        var servers = new PrivateServers(folder, FreePorts(4));
        try
        {
            await servers.StartPostgresAsync(ct);
            await servers.StartRedisAsync(ct);
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates the shop's tables and rows.</summary>
    public async Task LoadShopAsync(CancellationToken ct)
    {
        await using var connection = new NpgsqlConnection(ConnectionString.Replace("Database=shop", "Database=postgres", StringComparison.Ordinal));
        await connection.OpenAsync(ct);
        await using (var create = new NpgsqlCommand("CREATE DATABASE shop", connection)) await create.ExecuteNonQueryAsync(ct);
        await using var shop = new NpgsqlConnection(ConnectionString);
        await shop.OpenAsync(ct);
        foreach (string file in (string[])["schema.sql", "seed.sql"])
        {
            await using var load = new NpgsqlCommand(ShopFiles.Read(file), shop);
            await load.ExecuteNonQueryAsync(ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in Enumerable.Reverse(servers)) await server.DisposeAsync();
        try { Directory.Delete(Folder, recursive: true); }
        catch (IOException) { /* a backend may still be closing a file; the system cleans its temporary folder */ }
        catch (UnauthorizedAccessException) { }
        guard.Dispose();
    }

    async Task StartPostgresAsync(CancellationToken ct)
    {
        string data = Path.Combine(Folder, "postgres"), programs = FindPostgres();
        string[] asPostgres = [];
        Directory.CreateDirectory(data);
        if (!OperatingSystem.IsWindows() && Environment.IsPrivilegedProcess)
        {
            // PostgreSQL refuses to run as root. setpriv changes the user and then becomes the server, so the process id stays.
            File.SetUnixFileMode(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
            await ChildProcess.RunAsync("chown", ["chown", "postgres:", data], Folder, ct);
            asPostgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"];
        }
        await ChildProcess.RunAsync(
            "initdb", [.. asPostgres, Path.Combine(programs, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], Folder, ct);
        string[] settings =
        [
            $"port={PostgresPort}", "listen_addresses=127.0.0.1", $"unix_socket_directories={data}", "wal_level=logical", "fsync=off",
            "shared_buffers=64MB", "max_wal_size=512MB",
        ];
        var server = ChildProcess.Start(
            "postgres", [.. asPostgres, Path.Combine(programs, "postgres"), "-D", data, .. settings.SelectMany(setting => (string[])["-c", setting])],
            Path.Combine(Folder, "postgres.log"), stopSignal: ChildProcess.Signal.Quit);
        servers.Add(server);
        await using var source = NpgsqlDataSource.Create(ConnectionString.Replace("Database=shop", "Database=postgres;Pooling=false", StringComparison.Ordinal));
        await Waiting.UntilAsync("PostgreSQL accepts connections", server, async () =>
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync(ct);
                return true;
            }
            catch (NpgsqlException) { return false; }
        }, Waiting.StartLimit, ct);
    }

    async Task StartRedisAsync(CancellationToken ct)
    {
        var server = ChildProcess.Start(
            "redis", ["redis-server", "--port", $"{RedisPort}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", Folder],
            Path.Combine(Folder, "redis.log"));
        servers.Add(server);
        await Waiting.UntilAsync("Redis accepts connections", server, async () =>
        {
            try
            {
                using var client = await RespClient.ConnectAsync("127.0.0.1", RedisPort, ct);
                return await client.CommandAsync(ct, "PING") is "PONG";
            }
            catch (SocketException) { return false; }
        }, TimeSpan.FromSeconds(10), ct);
    }

    /// <summary>The folder of the newest PostgreSQL server's programs; one too old is told so by the node itself.</summary>
    static string FindPostgres()
    {
        var candidates = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [];
        var folders = candidates
            .OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), out int version) ? version : 0)
            .Select(folder => Path.Combine(folder, "bin"))
            .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator));
        return folders.FirstOrDefault(folder => File.Exists(Path.Combine(folder, "initdb")))
            ?? throw new SyncException(ExitCode.PostgresUnreachable, "The demo needs PostgreSQL's server programs (initdb, postgres): install postgresql-15, or put their folder on the PATH.");
    }

    /// <summary>Ports of the loopback address that nobody listens on now.</summary>
    public static List<int> FreePorts(int count)
    {
        // All are held until the last is known, so that no number comes twice.
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        foreach (var listener in listeners) listener.Start();
        var ports = listeners.ConvertAll(listener => ((IPEndPoint)listener.LocalEndpoint).Port);
        foreach (var listener in listeners) listener.Dispose();
        return ports;
    }
}

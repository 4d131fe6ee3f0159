using System.Collections.Concurrent;
using Npgsql;

namespace Sync.Testing;

/// <summary>How <see cref="PostgresServer.StopAsync"/> and <see cref="PostgresServer.RestartAsync"/> end the server; the modes of pg_ctl.</summary>
public enum StopMode { Fast, Immediate }

/// <summary>What a test server is like.</summary>
public sealed record PostgresServerOptions
{
    /// <summary>Lines of postgresql.conf, such as <c>max_replication_slots = 1</c>; they win over the defaults.</summary>
    public IReadOnlyList<string> Settings { get; init; } = [];

    /// <summary>Lines of pg_hba.conf that are looked at before the default ones.</summary>
    public IReadOnlyList<string> Hba { get; init; } = [];

    /// <summary>When set, TCP connections need a SCRAM password and this is the superuser's.</summary>
    public string? Password { get; init; }

    /// <summary>When set, the server offers TLS with these PEM files.</summary>
    public (string Cert, string Key, string? ClientCa)? Tls { get; init; }

    /// <summary>
    /// True runs initdb for this server alone. Otherwise all servers of the process are copies of one data directory and
    /// share its system identifier.
    /// </summary>
    public bool OwnIdentity { get; init; }
}

/// <summary>
/// A real PostgreSQL in a temporary folder on a free loopback port: wal_level = logical, no fsync, superuser "postgres".
/// The superuser always gets in through the Unix socket, whatever TCP connections need.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    static readonly ConcurrentDictionary<PostgresServer, bool> running = new();
    static readonly string bin = FindBinaries();

    /// <summary>The folder of PostgreSQL's programs: what the environment variable ACTORSYNC_TEST_PGBIN names, or else the newest that is installed.</summary>
    public static string Binaries => bin;

    readonly string folder;
    readonly string? password;
    bool stopped = true;

    static PostgresServer() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (var server in running.Keys) server.DisposeAsync().AsTask().GetAwaiter().GetResult();
    };

    PostgresServer(string folder, string? password)
    {
        this.folder = folder;
        this.password = password;
    }

    public string Host => "127.0.0.1";
    public int Port { get; private set; }

    /// <summary>The folder of the Unix socket; connecting through it needs no password.</summary>
    public string SocketFolder => folder;
    public string DataFolder => Path.Combine(folder, "data");
    public string LogFile => Path.Combine(folder, "log");

    public static Task<PostgresServer> StartAsync(params string[] settings) => StartAsync(new PostgresServerOptions { Settings = settings });

    public static async Task<PostgresServer> StartAsync(PostgresServerOptions options)
    {
        var server = new PostgresServer(await NewFolderAsync(), options.Password);
        if (options.OwnIdentity) await InitDbAsync(server.DataFolder);
        else await PostgresTools.CopyAsync(await template.Value, server.DataFolder);
        await server.ConfigureAsync(options);
        await server.StartOnFreePortAsync();
        if (options.Password is { } password)
            await server.ExecuteAsync($"alter user postgres password '{password.Replace("'", "''")}'");
        return server;
    }

    /// <summary>A physical standby that follows <paramref name="primary"/> and answers read-only queries.</summary>
    public static async Task<PostgresServer> StartStandbyAsync(PostgresServer primary, params string[] settings)
    {
        var server = new PostgresServer(await NewFolderAsync(), primary.password);
        await PostgresTools.RunAsync(Path.Combine(bin, "pg_basebackup"), server.folder,
            "-D", server.DataFolder, "-h", primary.SocketFolder, "-p", $"{primary.Port}", "-U", "postgres",
            "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync");
        await File.AppendAllLinesAsync(Path.Combine(server.DataFolder, "postgresql.conf"), settings);
        await server.StartOnFreePortAsync();
        return server;
    }

    /// <summary>A copy of the data folder, made while the server stands still; it runs again behind that.</summary>
    public async Task<string> CopyAsync()
    {
        string copy = Path.Combine(folder, $"copy-{Guid.NewGuid():N}");
        await StopAsync();
        await PostgresTools.CopyAsync(DataFolder, copy);
        await StartAgainAsync();
        return copy;
    }

    /// <summary>Puts a copy in the place of the data folder, as a restore does; what was written since is gone.</summary>
    /// <param name="copy">Made by <see cref="CopyAsync"/>; stays as it is.</param>
    /// <param name="recovery">Lines of postgresql.conf for a recovery from the archive that ends with a timeline of its own; none for the copy as it is.</param>
    public async Task PutBackAsync(string copy, params string[] recovery)
    {
        await StopAsync();
        PostgresTools.DeleteFolder(DataFolder);
        await PostgresTools.CopyAsync(copy, DataFolder);
        if (recovery.Length > 0)
        {
            await ConfigureAsync([.. recovery, "recovery_target_action = promote"]);
            await SignalAsync("recovery.signal");
        }
        await StartAgainAsync();
        for (var deadline = DateTime.UtcNow.AddSeconds(60); await ScalarAsync<bool>("select pg_is_in_recovery()"); await Task.Delay(20))
            if (DateTime.UtcNow > deadline) throw new TimeoutException($"The recovery does not end:\n{await File.ReadAllTextAsync(LogFile)}");
    }

    /// <summary>A physical standby from a copy.</summary>
    /// <param name="primary">Whom it follows.</param>
    /// <param name="copy">Made by <see cref="CopyAsync"/>.</param>
    /// <param name="keepsSlots">Whether it has the slots that the primary had when the copy was made, which no standby of pg_basebackup has.</param>
    /// <param name="settings">Further lines of postgresql.conf.</param>
    public static async Task<PostgresServer> StartStandbyAsync(PostgresServer primary, string copy, bool keepsSlots, params string[] settings)
    {
        var server = new PostgresServer(await NewFolderAsync(), primary.password);
        await PostgresTools.CopyAsync(copy, server.DataFolder);
        if (!keepsSlots)
            foreach (string slot in Directory.GetDirectories(Path.Combine(server.DataFolder, "pg_replslot"))) Directory.Delete(slot, recursive: true);
        await server.ConfigureAsync([$"primary_conninfo = 'host={primary.SocketFolder} port={primary.Port} user=postgres dbname=postgres'", .. settings]);
        await server.SignalAsync("standby.signal");
        await server.StartOnFreePortAsync();
        return server;
    }

    async Task SignalAsync(string name)
    {
        string file = Path.Combine(DataFolder, name);
        await File.WriteAllTextAsync(file, "");
        await PostgresTools.GiveToPostgresAsync(file);
    }

    /// <summary>For TCP as the superuser, or as <paramref name="user"/>; unpooled, so that a restart leaves no dead connections behind.</summary>
    public string ConnectionString(string database = "postgres", string user = "postgres", string? password = null) => new NpgsqlConnectionStringBuilder
    {
        Host = Host,
        Port = Port,
        Database = database,
        Username = user,
        Password = password ?? (user == "postgres" ? this.password : null),
        Pooling = false,
        GssEncryptionMode = GssEncryptionMode.Disable,
    }.ConnectionString;

    /// <summary>Opens a connection as the superuser, through the Unix socket.</summary>
    public async Task<NpgsqlConnection> OpenAsync(string database = "postgres")
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString(database)) { Host = SocketFolder }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>Runs one or more statements as the superuser.</summary>
    public async Task ExecuteAsync(string sql, string database = "postgres")
    {
        await using var connection = await OpenAsync(database);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first column of the first row; the default of <typeparamref name="T"/> for NULL and for no row.</summary>
    public async Task<T?> ScalarAsync<T>(string sql, string database = "postgres")
    {
        await using var connection = await OpenAsync(database);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync() is T value ? value : default;
    }

    /// <summary>A new, empty database of its own for one test, so that tests can share a server; returns its name.</summary>
    /// <param name="encoding">Of its texts.</param>
    public async Task<string> CreateDatabaseAsync(string encoding = "UTF8")
    {
        string name = $"t{Guid.NewGuid():N}";
        await ExecuteAsync($"create database {name} template template0 encoding '{encoding}'");
        return name;
    }

    /// <summary>Ends every replication connection, as a network failure would.</summary>
    public Task KillWalSendersAsync() => ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender'");

    public async Task StopAsync(StopMode mode = StopMode.Fast)
    {
        if (stopped) return;
        await PgCtlAsync("stop", "-m", Name(mode), "-w", "-t", "60");
        stopped = true;
    }

    /// <summary>Starts it again on the same port after <see cref="StopAsync"/>.</summary>
    public async Task StartAgainAsync()
    {
        await PgCtlAsync("start", "-w", "-t", "60", "-l", LogFile);
        stopped = false;
    }

    public async Task RestartAsync(StopMode mode = StopMode.Fast)
    {
        await StopAsync(mode);
        await StartAgainAsync();
    }

    /// <summary>Makes a standby a primary on a new timeline.</summary>
    public Task PromoteAsync() => PgCtlAsync("promote", "-w", "-t", "60");

    /// <summary>Appends to postgresql.conf; takes effect with the next reload or restart.</summary>
    public Task ConfigureAsync(params string[] settings) => File.AppendAllLinesAsync(Path.Combine(DataFolder, "postgresql.conf"), settings);

    public Task ReloadAsync() => PgCtlAsync("reload");

    public async ValueTask DisposeAsync()
    {
        if (!running.TryRemove(this, out _)) return;
        try
        {
            await StopAsync(StopMode.Immediate);
        }
        finally
        {
            PostgresTools.DeleteFolder(folder);
        }
    }

    // One data directory for all servers of the process: initdb takes seconds, copying its 40 MB a fraction of one.
    static readonly Lazy<Task<string>> template = new(async () =>
    {
        string root = await NewFolderAsync();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => PostgresTools.DeleteFolder(root);
        string data = Path.Combine(root, "data");
        await InitDbAsync(data);
        return data;
    });

    static async Task<string> NewFolderAsync()
    {
        string folder = Directory.CreateTempSubdirectory("actorsync-pg-").FullName;
        await PostgresTools.GiveToPostgresAsync(folder);
        return folder;
    }

    static Task InitDbAsync(string data) => PostgresTools.RunAsync(Path.Combine(bin, "initdb"), Path.GetDirectoryName(data)!,
        "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync");

    async Task ConfigureAsync(PostgresServerOptions options)
    {
        var lines = new List<string>
        {
            "wal_level = logical", "fsync = off", "full_page_writes = off", "listen_addresses = '127.0.0.1'",
            $"unix_socket_directories = '{folder}'", "shared_buffers = 32MB", "max_connections = 60", "logging_collector = off", "jit = off",
            // What PostgreSQL 13 would not do by itself.
            "password_encryption = 'scram-sha-256'",
        };
        if (options.Tls is var (cert, key, clientCa))
        {
            lines.AddRange(["ssl = on", $"ssl_cert_file = '{await AdoptAsync(cert, "server.crt")}'", $"ssl_key_file ="
                + $" '{await AdoptAsync(key, "server.key")}'"]);
            if (clientCa is not null) lines.Add($"ssl_ca_file = '{await AdoptAsync(clientCa, "client-ca.crt")}'");
        }
        lines.AddRange(options.Settings);
        await ConfigureAsync([.. lines]);

        string tcp = options.Password is null ? "trust" : "scram-sha-256";
        await File.WriteAllLinesAsync(Path.Combine(DataFolder, "pg_hba.conf"), [
            "local all all trust", "local replication all trust",
            .. options.Hba,
            $"host all all 127.0.0.1/32 {tcp}", $"host replication all 127.0.0.1/32 {tcp}",
        ]);
    }

    // PostgreSQL refuses a private key that others may read or that belongs to somebody else.
    async Task<string> AdoptAsync(string file, string name)
    {
        string copy = Path.Combine(folder, name);
        File.Copy(file, copy, overwrite: true);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(copy, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await PostgresTools.GiveToPostgresAsync(copy);
        return copy;
    }

    // Between choosing a port and binding it somebody else may take it; then another one is tried.
    async Task StartOnFreePortAsync()
    {
        running[this] = true;
        for (int attempt = 1; ; attempt++)
        {
            Port = Ports.Free();
            await ConfigureAsync($"port = {Port}", $"unix_socket_directories = '{folder}'");
            try
            {
                await StartAgainAsync();
                return;
            }
            catch (InvalidOperationException e)
            {
                string log = File.Exists(LogFile) ? await File.ReadAllTextAsync(LogFile) : "";
                if (attempt < 5 && log.Contains("could not create any TCP/IP sockets", StringComparison.Ordinal)) continue;
                await DisposeAsync();
                throw new InvalidOperationException($"PostgreSQL did not start:\n{log}", e);
            }
        }
    }

    Task PgCtlAsync(params string[] arguments) =>
        PostgresTools.RunAsync(Path.Combine(bin, "pg_ctl"), folder, [.. arguments, "-D", DataFolder, "-s"]);

    static string Name(StopMode mode) => mode == StopMode.Fast ? "fast" : "immediate";

    static string FindBinaries()
    {
        if (Environment.GetEnvironmentVariable("ACTORSYNC_TEST_PGBIN") is { Length: > 0 } named) return named;
        var installed = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(d => int.TryParse(Path.GetFileName(d), out int v) ? v : 0)
                .Select(d => Path.Combine(d, "bin")).FirstOrDefault(d => File.Exists(Path.Combine(d, "initdb")))
            : null;
        return installed
            ?? Environment.GetEnvironmentVariable("PATH")?.Split(':').FirstOrDefault(d => File.Exists(Path.Combine(d, "initdb")))
            ?? throw new InvalidOperationException("No PostgreSQL found: install it, or name its bin folder in ACTORSYNC_TEST_PGBIN.");
    }
}

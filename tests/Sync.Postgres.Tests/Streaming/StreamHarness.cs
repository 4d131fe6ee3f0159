using System.Text;
using Npgsql;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Postgres.Connections;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Streaming;
using Sync.Testing;

namespace Sync.Postgres.Tests.Streaming;

/// <summary>A database of its own with publication "pub" for all tables and a slot; reads the stream into lines of text.</summary>
sealed class StreamHarness : IAsyncDisposable
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);

    readonly PostgresServer server;
    readonly string database;
    readonly ReplicationStreamOptions options;
    PgOutputDecoder decoder = new();
    Task<ReadOnlyMemory<byte>>? waiting;

    StreamHarness(PostgresServer server, string database, PostgresPrimary primary, ReplicationStreamOptions options)
    {
        (this.server, this.database, Primary, this.options) = (server, database, primary, options);
    }

    public PostgresPrimary Primary { get; }
    public ReplicationStream Stream { get; private set; } = null!;
    public PgOutputDecoder Decoder => decoder;
    public string Slot => options.Slot;
    public string Database => database;

    /// <param name="server">Where the database is made.</param>
    /// <param name="schema">Run before the publication and the slot are made.</param>
    /// <param name="publication">What follows "create publication pub"; null is for all tables, through roots.</param>
    /// <param name="receiveTimeout">Silence that ends the stream; null for the default.</param>
    public static async Task<StreamHarness> StartAsync(PostgresServer server, string schema, string? publication = null, TimeSpan? receiveTimeout = null)
    {
        string database = await server.CreateDatabaseAsync();
        string slot = $"s_{database}";
        await server.ExecuteAsync(schema, database);
        await server.ExecuteAsync($"create publication pub {publication ?? "for all tables with (publish_via_partition_root = true)"}", database);
        await server.ExecuteAsync($"select pg_create_logical_replication_slot('{slot}', 'pgoutput')", database);
        var connector = new PostgresConnector(new PostgresConnectionOptions
        {
            Hosts = [new HostPort(server.Host, server.Port)],
            Database = database,
        });
        var options = new ReplicationStreamOptions { Slot = slot, Publications = ["pub"], StatusInterval = TimeSpan.FromMilliseconds(500) };
        if (receiveTimeout is { } silence) options = options with { ReceiveTimeout = silence };
        var harness = new StreamHarness(server, database, await connector.FindPrimaryAsync(), options);
        await harness.OpenAsync();
        return harness;
    }

    /// <summary>Opens the stream; the slot of a lost connection is held until the server has noticed.</summary>
    public async Task OpenAsync()
    {
        var deadline = DateTime.UtcNow + patience;
        while (true)
        {
            decoder = new PgOutputDecoder();
            Stream = await ReplicationStream.OpenAsync(Primary, options, CancellationToken.None);
            waiting = Stream.NextAsync().AsTask();
            while (!waiting.IsCompleted && !await IsHeldByUsAsync())
                if (DateTime.UtcNow > deadline) throw new TimeoutException("The stream did not begin.");
            if (waiting.Exception?.InnerException?.InnerException is not PostgresException { SqlState: PostgresErrorCodes.ObjectInUse }) return;
            if (DateTime.UtcNow > deadline) throw new TimeoutException("The slot stayed in use.");
            await Stream.DisposeAsync();
        }
    }

    Task<bool> IsHeldByUsAsync() =>
        server.ScalarAsync<bool>($"select active_pid is not distinct from {Stream.ProcessId} from pg_replication_slots where slot_name = '{Slot}'");

    public Task SqlAsync(string sql) => server.ExecuteAsync(sql, database);

    public Task<T?> ScalarAsync<T>(string sql) => server.ScalarAsync<T>(sql, database);

    public Task<NpgsqlConnection> ConnectAsync() => server.OpenAsync(database);

    /// <summary>The next message as it came; valid until the next call.</summary>
    public async Task<ReadOnlyMemory<byte>> NextAsync()
    {
        var next = waiting ?? Stream.NextAsync().AsTask();
        waiting = null;
        return await next.WaitAsync(patience);
    }

    /// <summary>
    /// What happens up to and including the next <paramref name="commits"/> commits, one line per message, without descriptions of tables.
    /// Transactions without content don't count:
    /// PostgreSQL leaves them out since 15.
    /// </summary>
    public async Task<List<string>> ReadAsync(int commits = 1, bool descriptions = false)
    {
        var lines = new List<string>();
        bool isEmpty = true;
        while (commits > 0)
        {
            var message = await NextAsync();
            var kind = decoder.Decode(message.Span);
            if (kind == PgOutputMessageKind.Commit && !isEmpty) commits--;
            isEmpty = kind is PgOutputMessageKind.Begin or PgOutputMessageKind.Commit;
            if (isEmpty) continue;
            if (kind is PgOutputMessageKind.Relation or PgOutputMessageKind.Type && !descriptions) continue;
            lines.Add(Line(kind, message.Span));
        }
        return lines;
    }

    string Line(PgOutputMessageKind kind, ReadOnlySpan<byte> message) => kind switch
    {
        PgOutputMessageKind.Insert => $"I {Show(decoder.New(message))}",
        PgOutputMessageKind.Update when decoder.Old(message).IsPresent => $"U {Show(decoder.Old(message))} -> {Show(decoder.New(message))}",
        PgOutputMessageKind.Update => $"U {Show(decoder.New(message))}",
        PgOutputMessageKind.Delete => $"D {Show(decoder.Old(message))}",
        PgOutputMessageKind.Truncate =>
            $"T {decoder.Truncated.Length} {(decoder.TruncateCascade ? "cascade " : "")}{(decoder.TruncateRestartIdentity ? "restart" : "")}".TrimEnd(),
        PgOutputMessageKind.Relation =>
            $"R {decoder.Table!.Schema}.{decoder.Table.Name} {(char)decoder.Table.Identity} {string.Join(' ', decoder.Table.Columns.Select(c => $"{c.Name}:{c.TypeOid}{(c.IsKey ? "!" : "")}"))}",
        PgOutputMessageKind.Type => $"Y {decoder.TypeName}",
        PgOutputMessageKind.Origin => $"O {decoder.OriginName}",
        PgOutputMessageKind.Message =>
            $"M {decoder.MessageIsTransactional} {Encoding.UTF8.GetString(decoder.MessagePrefix(message))} {Encoding.UTF8.GetString(decoder.MessageContent(message))}",
        _ => kind.ToString(),
    };

    string Show(RowTuple tuple) => Rendering.Show(tuple, decoder.Table!.Columns.Count);

    public async ValueTask DisposeAsync()
    {
        Stream.Stop();
        if (waiting is { } pending)
        {
            await pending.ContinueWith(_ => { }, TaskScheduler.Default);
        }
        await Stream.DisposeAsync();
        await Primary.DisposeAsync();
        var deadline = DateTime.UtcNow + patience;
        while (DateTime.UtcNow < deadline && await server.ScalarAsync<bool>($"select active from pg_replication_slots where slot_name = '{Slot}'")) { }
        await server.ExecuteAsync($"select pg_drop_replication_slot('{Slot}')");
    }
}

/// <summary>Row images as text, for expectations.</summary>
static class Rendering
{
    public static string Show(RowTuple tuple, int columns)
    {
        string[] shown = new string[columns];
        for (int i = 0; i < columns; i++)
            shown[i] = tuple.State(i) == CellState.Text ? Encoding.UTF8.GetString(tuple.Value(i)) : tuple.State(i).ToString().ToUpperInvariant();
        return $"({string.Join(", ", shown)})";
    }
}

using System.Buffers.Binary;
using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Progress;
using Sync.Postgres.Connections;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Wire;

/// <summary>
/// A connection that speaks the replication protocol, for the stream and for what the log is: messages are handed out where they arrived, without a copy or an
/// object each (PostgreSQL docs, "Frontend/Backend Protocol"; why not the driver's: docs/adr/0013-cost-of-a-row.md). Everything else uses the driver.
/// One reader and, beside it, one sender at a time.
/// </summary>
sealed class WireConnection : IAsyncDisposable
{
    const int protocolVersion = 3 << 16, sslRequestCode = 80877103;

    /// <summary>A peer that vanished without a word is noticed after about 10 + 9 × 10 s.</summary>
    const int keepAliveSeconds = 10;

    static readonly byte[] terminate = [(byte)'X', 0, 0, 0, 4];

    readonly Socket socket;
    readonly HostPort address;
    readonly PostgresConnectionOptions options;
    Stream stream;

    WireConnection(Socket socket, HostPort address, PostgresConnectionOptions options)
    {
        this.socket = socket;
        this.address = address;
        this.options = options;
        stream = new NetworkStream(socket, ownsSocket: false);
        Buffer = new WireBuffer(stream, socket);
    }

    /// <summary>What the server sends.</summary>
    public WireBuffer Buffer { get; private set; }

    /// <summary>The server process's id.</summary>
    public int ProcessId { get; private set; }

    /// <summary>The server's major version.</summary>
    public int Major { get; private set; }

    bool IsEncrypted => stream is SslStream;

    /// <summary>Connects and logs in.</summary>
    /// <param name="address">Where; a folder means a Unix socket in it.</param>
    /// <param name="options">As whom, and how encrypted; <see cref="TlsFiles"/> says what is verified.</param>
    /// <param name="settings">Of the session, as command line options of the server process.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="PostgresException">The server refuses.</exception>
    /// <exception cref="SyncException">The server wants to know who we are in a way that is not spoken here.</exception>
    public static Task<WireConnection> OpenAsync(HostPort address, PostgresConnectionOptions options, string settings, CancellationToken cancellationToken) =>
        OpenAsync(address, options, connection => connection.LogInAsync(settings, cancellationToken), cancellationToken);

    /// <summary>Whether the server asks this user for a password by SCRAM; it is told none. PostgreSQL's own clients leave before they answer as well, when they have to ask for the password first.</summary>
    /// <inheritdoc cref="OpenAsync(HostPort, PostgresConnectionOptions, string, CancellationToken)"/>
    public static async Task<bool> IsScramAsync(HostPort address, PostgresConnectionOptions options, string settings, CancellationToken cancellationToken)
    {
        bool isScram = false;
        await using var connection = await OpenAsync(address, options, async c => isScram = await c.IsAskedForScramAsync(settings, cancellationToken).ConfigureAwait(false), cancellationToken)
            .ConfigureAwait(false);
        return isScram;
    }

    static async Task<WireConnection> OpenAsync(HostPort address, PostgresConnectionOptions options, Func<WireConnection, Task> begin, CancellationToken cancellationToken)
    {
        // Without tls, encryption is taken where it is offered and given up where only the plain connection is let in, as libpq does by default.
        bool mayBePlain = options.Tls is null;
        try
        {
            return await OpenAsync(address, options, begin, mayEncrypt: !address.Host.StartsWith('/'), cancellationToken).ConfigureAwait(false);
        }
        catch (RefusedEncryptedException e) when (mayBePlain)
        {
            try { return await OpenAsync(address, options, begin, mayEncrypt: false, cancellationToken).ConfigureAwait(false); }
            catch (PostgresException) { throw e.InnerException!; }
        }
        catch (RefusedEncryptedException e)
        {
            throw e.InnerException!;
        }
    }

    static async Task<WireConnection> OpenAsync(HostPort address, PostgresConnectionOptions options, Func<WireConnection, Task> begin, bool mayEncrypt, CancellationToken cancellationToken)
    {
        var connection = new WireConnection(await ConnectAsync(address, cancellationToken).ConfigureAwait(false), address, options);
        try
        {
            if (mayEncrypt) await connection.EncryptAsync(cancellationToken).ConfigureAwait(false);
            await begin(connection).ConfigureAwait(false);
            return connection;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            if (connection.IsEncrypted && e is PostgresException { SqlState: PostgresErrorCodes.InvalidAuthorizationSpecification } refusal) throw new RefusedEncryptedException(refusal);
            throw;
        }
    }

    static async Task<Socket> ConnectAsync(HostPort address, CancellationToken cancellationToken)
    {
        bool isLocal = address.Host.StartsWith('/');
        var socket = isLocal ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (isLocal)
            {
                string port = address.Port.ToString(CultureInfo.InvariantCulture);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint($"{address.Host}/.s.PGSQL.{port}"), cancellationToken).ConfigureAwait(false);
                return socket;
            }
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, keepAliveSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, keepAliveSeconds);
            await socket.ConnectAsync(address.Host, address.Port, cancellationToken).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Asks for TLS (PostgreSQL docs, "SSL Session Encryption").</summary>
    async Task EncryptAsync(CancellationToken cancellationToken)
    {
        byte[] request = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(request, 8);
        BinaryPrimitives.WriteInt32BigEndian(request.AsSpan(4), sslRequestCode);
        await SendAsync(request, cancellationToken).ConfigureAwait(false);
        // Byte by byte: what an attacker sent behind the answer must not be taken for something that came encrypted.
        byte[] answer = new byte[1];
        await stream.ReadExactlyAsync(answer, cancellationToken).ConfigureAwait(false);
        if (answer[0] == (byte)'N')
        {
            if (options.Tls is not null) throw new AuthenticationException("the server does not offer TLS");
            return;
        }
        if (answer[0] != (byte)'S') throw new PgOutputException("PostgreSQL answered the request for TLS with something else.");
        var encrypted = new SslStream(stream, leaveInnerStreamOpen: false);
        stream = encrypted;
        await encrypted.AuthenticateAsClientAsync(TlsFiles.ForStream(options.Tls, address.Host), cancellationToken).ConfigureAwait(false);
        Buffer = new WireBuffer(encrypted, socket: null);
    }

    /// <summary>PostgreSQL docs, "Start-up"; ends with ReadyForQuery.</summary>
    async Task LogInAsync(string settings, CancellationToken cancellationToken)
    {
        await SendAsync(Startup(settings), cancellationToken).ConfigureAwait(false);
        var login = new WireLogin(address, options, (stream as SslStream)?.RemoteCertificate);
        while (true)
        {
            var (type, body) = await NextAsync(cancellationToken).ConfigureAwait(false);
            switch (type)
            {
                case ServerMessageType.Authentication:
                    if (login.Answer(body.Span) is { } answer) await SendAsync(answer, cancellationToken).ConfigureAwait(false);
                    break;
                case ServerMessageType.BackendKeyData:
                    ProcessId = BinaryPrimitives.ReadInt32BigEndian(body.Span);
                    break;
                case ServerMessageType.ParameterStatus:
                    Note(body.Span);
                    break;
                case ServerMessageType.ReadyForQuery:
                    return;
                case ServerMessageType.ErrorResponse:
                    throw ServerMessages.Error(body.Span);
            }
        }
    }

    async Task<bool> IsAskedForScramAsync(string settings, CancellationToken cancellationToken)
    {
        await SendAsync(Startup(settings), cancellationToken).ConfigureAwait(false);
        while (true)
        {
            var (type, body) = await NextAsync(cancellationToken).ConfigureAwait(false);
            if (type == ServerMessageType.ErrorResponse) throw ServerMessages.Error(body.Span);
            if (type == ServerMessageType.Authentication) return WireLogin.IsScram(body.Span);
        }
    }

    byte[] Startup(string settings)
    {
        var message = new MemoryStream();
        message.Write(new byte[8]);
        foreach (string text in (string[])["user", options.User, "database", options.Database, "replication", "database", "application_name", PostgresConnector.ApplicationName, "options", settings])
        {
            message.Write(Encoding.UTF8.GetBytes(text));
            message.WriteByte(0);
        }
        message.WriteByte(0);
        byte[] bytes = message.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(bytes, bytes.Length);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4), protocolVersion);
        return bytes;
    }

    void Note(ReadOnlySpan<byte> parameter)
    {
        var reader = new WireReader(parameter);
        if (reader.Text() != "server_version") return;
        string version = reader.Text();
        int digits = 0;
        while (digits < version.Length && char.IsAsciiDigit(version[digits])) digits++;
        Major = int.Parse(version.AsSpan(0, digits), CultureInfo.InvariantCulture);
    }

    async Task<(byte Type, ReadOnlyMemory<byte> Body)> NextAsync(CancellationToken cancellationToken)
    {
        byte type;
        ReadOnlyMemory<byte> body;
        while (!Buffer.TryTake(out type, out body))
        {
            int count = await Buffer.FillAsync(cancellationToken).ConfigureAwait(false);
            if (count == 0) throw new EndOfStreamException("the server closed the connection");
            Buffer.Filled(count);
        }
        return (type, body);
    }

    /// <summary>What a query of two columns answers, as pairs; NULL is left out. To be used before the stream begins.</summary>
    /// <exception cref="PostgresException">The server refuses.</exception>
    public async Task<Dictionary<string, string>> PairsAsync(string query, CancellationToken cancellationToken)
    {
        await QueryAsync(query, cancellationToken).ConfigureAwait(false);
        var pairs = new Dictionary<string, string>();
        while (true)
        {
            var (type, body) = await NextAsync(cancellationToken).ConfigureAwait(false);
            switch (type)
            {
                case ServerMessageType.DataRow:
                    if (ReadPair(body.Span) is var (name, value)) pairs[name] = value;
                    break;
                case ServerMessageType.ReadyForQuery:
                    return pairs;
                case ServerMessageType.ErrorResponse:
                    throw ServerMessages.Error(body.Span);
            }
        }
    }

    static (string Name, string Value)? ReadPair(ReadOnlySpan<byte> row)
    {
        var reader = new WireReader(row);
        if (reader.Int16() != 2) throw new PgOutputException("PostgreSQL answered with another number of columns than was asked for.");
        string? name = Field(row, ref reader), value = Field(row, ref reader);
        return name is null || value is null ? null : (name, value);
    }

    static string? Field(ReadOnlySpan<byte> row, ref WireReader reader)
    {
        int length = reader.Int32();
        if (length < 0) return null;
        int at = reader.Skip(length);
        return Encoding.UTF8.GetString(row.Slice(at, length));
    }

    /// <summary>Sends a command in the simple query protocol; what it answers is for the reader.</summary>
    public ValueTask QueryAsync(string command, CancellationToken cancellationToken) => SendAsync(Message('Q', Encoding.UTF8.GetBytes(command + '\0')), cancellationToken);

    /// <summary>Runs a command of the replication protocol that answers with rows, and reads all of them. Not while anything is streamed.</summary>
    /// <exception cref="PostgresException">The server refuses it.</exception>
    /// <exception cref="EndOfStreamException">The server closed the connection.</exception>
    public async Task<IReadOnlyList<string?[]>> AskAsync(string command, CancellationToken cancellationToken)
    {
        await QueryAsync(command, cancellationToken).ConfigureAwait(false);
        var rows = new List<string?[]>();
        PostgresException? error = null;
        while (true)
        {
            var (type, body) = await NextAsync(cancellationToken).ConfigureAwait(false);
            switch (type)
            {
                case ServerMessageType.DataRow: rows.Add(ServerMessages.Row(body.Span)); break;
                case ServerMessageType.ErrorResponse: error = ServerMessages.Error(body.Span); break;
                case ServerMessageType.ReadyForQuery: return error is null ? rows : throw error;
            }
        }
    }

    /// <summary>Which log the server writes and where it ends (PostgreSQL docs, IDENTIFY_SYSTEM and TIMELINE_HISTORY).</summary>
    /// <exception cref="PostgresException">The server refuses.</exception>
    public async Task<ServerLog> ReadLogAsync(CancellationToken cancellationToken)
    {
        string?[] row = (await AskAsync("IDENTIFY_SYSTEM", cancellationToken).ConfigureAwait(false))[0];
        uint timeline = uint.Parse(row[1]!, CultureInfo.InvariantCulture);
        IReadOnlyList<TimelineFork>? forks = timeline == 1 ? [] : null;
        if (timeline > 1)
            try
            {
                var file = await AskAsync(string.Create(CultureInfo.InvariantCulture, $"TIMELINE_HISTORY {timeline}"), cancellationToken).ConfigureAwait(false);
                forks = LogHistory.ParseFile(file[0][1]!);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedFile)
            {
                // Then nothing is known of the timelines before.
            }
        return new ServerLog(new LogHistory(row[0]!, timeline, forks), Lsn.Parse(row[2]!));
    }

    /// <summary>Sends a message that is complete.</summary>
    public ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken) => stream.WriteAsync(message, cancellationToken);

    /// <summary>A message of the client: its type, its length, its body.</summary>
    internal static byte[] Message(char type, ReadOnlySpan<byte> body)
    {
        byte[] message = new byte[5 + body.Length];
        message[0] = (byte)type;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), 4 + body.Length);
        body.CopyTo(message.AsSpan(5));
        return message;
    }

    /// <summary>Says goodbye, which ends the server's process wherever it is, and sends nothing more; the server then closes the connection.</summary>
    public async ValueTask LeaveAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(terminate, cancellationToken).ConfigureAwait(false);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            // Whoever is gone needs no goodbye.
        }
    }

    /// <summary>Closes the socket, which ends a read that is under way.</summary>
    public void Abort() => socket.Dispose();

    public async ValueTask DisposeAsync()
    {
        Abort();
        await stream.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>pg_hba.conf has no line for the encrypted connection; perhaps it has one for the plain one.</summary>
    sealed class RefusedEncryptedException(PostgresException inner) : Exception(inner.Message, inner);
}

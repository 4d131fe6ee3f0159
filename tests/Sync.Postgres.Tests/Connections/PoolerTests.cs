using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Retry;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Tests.Connections;

/// <summary>A pooler that does not speak what we need is named, in both kinds of connection, and not taken for a server that is away.</summary>
[Collection(PostgresCollection.Name)]
public class PoolerTests(PostgresFixture fixture)
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);

    /// <summary>PgBouncer 1.12 to 1.19, 1.20 and later, and RDS Proxy.</summary>
    public static TheoryData<string, string> Refusals => new()
    {
        { "08P01", "unsupported startup parameter: options" },
        { "08P01", "Unsupported startup parameter: replication" },
        { "08P01", "unsupported startup parameter in options: datestyle" },
        { "0A000", "Feature not supported: RDS Proxy currently doesn't support command-line options." },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task Refusal_of_a_pooler_should_say_to_connect_directly(string state, string message)
    {
        using var pooler = new ScriptedPooler(state, message);
        var options = new PostgresConnectionOptions { Hosts = [pooler.Address], User = "app" };
        await ShouldSay(() => new PostgresConnector(options).FindPrimaryAsync());
        var source = NpgsqlDataSource.Create($"Host=127.0.0.1;Port={pooler.Address.Port};Username=app;Pooling=false");
        await using var primary = new PostgresPrimary(pooler.Address, options, source, NpgsqlDataSource.Create("Host=127.0.0.1"), "", new OwnSessions(), 15, holdsBytes: false);
        await ShouldSay(() => primary.OpenWireAsync(CancellationToken.None));

        async Task ShouldSay(Func<Task> connect)
        {
            var error = await Should.ThrowAsync<SyncException>(() => connect().WaitAsync(patience));
            error.Message.ShouldContain("connect directly, not through a pooler");
            error.Message.ShouldContain(message.TrimEnd('.'));
            error.Message.ShouldContain($"{pooler.Address}");
            error.Code.ShouldBe(ExitCode.PostgresUnsuitable);
            PostgresErrors.Classify(error.InnerException!).ShouldBe(FailureClass.Fatal);
        }
    }

    [Theory]
    [InlineData("42601", "syntax error at or near \"START_REPLICATION\"", true)]
    [InlineData("42601", "syntax error at or near \"selct\"", false)]
    [InlineData("08P01", "invalid startup packet layout: expected terminator as last byte", false)]
    [InlineData("08P01", "query_wait_timeout", false)]
    public void Only_what_a_pooler_says_should_count_as_its_words(string state, string message, bool isPooler)
    {
        var error = PostgresErrors.ToSyncException(new PostgresException(message, "FATAL", "FATAL", state), new HostPort("db", 6432), new());
        error.Message.Contains("not through a pooler", StringComparison.Ordinal).ShouldBe(isPooler);
    }

    [Fact]
    public async Task Pooler_that_answers_in_the_name_of_PostgreSQL_should_be_known_by_the_number_it_makes_up()
    {
        using var direct = new Relay(fixture.Server.Port, process: null);
        using var pooler = new Relay(fixture.Server.Port, process: 12);
        foreach (var (relay, isDirect) in new[] { (direct, true), (pooler, false) })
        {
            await using var primary = await new PostgresConnector(new PostgresConnectionOptions { Hosts = [relay.Address] }).FindPrimaryAsync().WaitAsync(patience);
            primary.IsDirect.ShouldBe(isDirect);
            primary.ProxyWarning.ShouldContain($"{relay.Address}");
        }
    }

    /// <summary>Passes everything on; with a number it says at login that this is the process, as poolers do.</summary>
    sealed class Relay : IDisposable
    {
        readonly TcpListener listener = new(IPAddress.Loopback, 0);
        readonly int port;
        readonly int? process;

        public Relay(int port, int? process)
        {
            (this.port, this.process) = (port, process);
            listener.Start();
            Address = new HostPort("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
            _ = ServeAsync();
        }

        public HostPort Address { get; }

        async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    var client = await listener.AcceptTcpClientAsync();
                    var server = new TcpClient();
                    await server.ConnectAsync(IPAddress.Loopback, port);
                    _ = PassAsync(client, server, change: false);
                    _ = PassAsync(server, client, change: process is not null);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* The test is over. */ }
        }

        async Task PassAsync(TcpClient from, TcpClient to, bool change)
        {
            byte[] buffer = new byte[64 * 1024];
            try
            {
                for (int count; (count = await from.GetStream().ReadAsync(buffer)) > 0;)
                {
                    // BackendKeyData: K, a length of 12, the process, the secret. A login without a password is answered in one piece.
                    int at = change ? buffer.AsSpan(0, count).IndexOf("K\0\0\0\f"u8) : -1;
                    if (at >= 0) BinaryPrimitives.WriteInt32BigEndian(buffer.AsSpan(at + 5), process!.Value);
                    await to.GetStream().WriteAsync(buffer.AsMemory(0, count));
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException) { /* One side has left. */ }
            from.Dispose();
            to.Dispose();
        }

        public void Dispose() => listener.Stop();
    }

    /// <summary>Answers every start-up packet with an error, byte for byte as a pooler does, and offers no TLS.</summary>
    sealed class ScriptedPooler : IDisposable
    {
        readonly TcpListener listener = new(IPAddress.Loopback, 0);
        readonly byte[] answer;

        public ScriptedPooler(string state, string message)
        {
            byte[] fields = Encoding.UTF8.GetBytes($"SFATAL\0VFATAL\0C{state}\0M{message}\0\0");
            answer = [(byte)'E', 0, 0, 0, 0, .. fields];
            BinaryPrimitives.WriteInt32BigEndian(answer.AsSpan(1), 4 + fields.Length);
            listener.Start();
            Address = new HostPort("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
            _ = ServeAsync();
        }

        public HostPort Address { get; }

        async Task ServeAsync()
        {
            try
            {
                while (true) _ = AnswerAsync(await listener.AcceptTcpClientAsync());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* The test is over. */ }
        }

        async Task AnswerAsync(TcpClient client)
        {
            using (client)
            {
                var stream = client.GetStream();
                byte[] head = new byte[8];
                try
                {
                    while (true)
                    {
                        await stream.ReadExactlyAsync(head);
                        int length = BinaryPrimitives.ReadInt32BigEndian(head), code = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(4));
                        await stream.ReadExactlyAsync(new byte[length - 8]);
                        // 1234 in the upper half asks for TLS or GSS (PostgreSQL docs, "Message Formats").
                        bool isQuestion = code >> 16 == 1234;
                        await stream.WriteAsync(isQuestion ? "N"u8.ToArray() : answer);
                        if (!isQuestion) return;
                    }
                }
                catch (IOException) { /* The client has left. */ }
            }
        }

        public void Dispose() => listener.Stop();
    }
}

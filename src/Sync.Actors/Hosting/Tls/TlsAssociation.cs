using System.Buffers.Binary;
using System.Net.Security;
using System.Threading.Channels;
using Akka.Actor;
using Akka.Event;
using Akka.Remote.Transport;
using Google.Protobuf;

namespace Sync.Actors.Hosting.Tls;

/// <summary>
/// One connection to another node. Payloads that are written wait in a queue that is bounded in bytes, and one task encrypts and sends them, several small ones
/// together; another one reads. Whichever fails ends the connection, and Akka.NET makes a new one when it has something to say.
/// </summary>
sealed class TlsAssociation : AssociationHandle
{
    /// <summary>
    /// Bytes that may wait. Beyond it Akka.NET keeps the messages, as objects and without a bound, and tries again: until the other node reads or is downed.
    /// How many those are is up to what sends them; the reader stops at its budget, and its rows are in memory anyway until they are acknowledged.
    /// </summary>
    const int mostQueuedBytes = 16 * 1024 * 1024;

    /// <summary>Small payloads travel together up to this many bytes; each piece of its own would be a TLS record and a system call.</summary>
    const int bufferBytes = 64 * 1024;

    const int headerBytes = 4;
    static readonly TimeSpan lastWords = TimeSpan.FromSeconds(1);

    readonly SslStream stream;
    readonly int maxFrameBytes;
    readonly ILoggingAdapter log;
    readonly Channel<ByteString> queue = Channel.CreateUnbounded<ByteString>(new UnboundedChannelOptions { SingleReader = true });
    readonly CancellationTokenSource ending = new();
    readonly Task reading;
    readonly Task writing;
    long queuedBytes;
    int ended;

    public TlsAssociation(SslStream stream, Address local, Address remote, int maxFrameBytes, ILoggingAdapter log) : base(local, remote)
    {
        this.stream = stream;
        this.maxFrameBytes = maxFrameBytes;
        this.log = log;
        reading = Task.Run(ReadAsync);
        writing = Task.Run(WriteAsync);
        Closed = Task.WhenAll(reading, writing);
    }

    /// <summary>Done when nothing of the connection is left.</summary>
    public Task Closed { get; }

    public override bool Write(ByteString payload)
    {
        // One payload may always wait, whatever its size.
        if (Interlocked.Read(ref queuedBytes) >= mostQueuedBytes) return false;
        Interlocked.Add(ref queuedBytes, payload.Length);
        return queue.Writer.TryWrite(payload);
    }

    [Obsolete("Akka.NET's base class says why.")]
    public override void Disassociate() => _ = CloseAsync();

    /// <summary>Sends what waits, for a short time, and closes.</summary>
    public Task CloseAsync()
    {
        queue.Writer.TryComplete();
        ending.CancelAfter(lastWords);
        // A connection that nobody took over is not being read.
        ReadHandlerSource.TrySetCanceled();
        return Closed;
    }

    // Two connections between the same nodes are two, whatever their addresses.
    public override bool Equals(object? obj) => ReferenceEquals(this, obj);
    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    async Task WriteAsync()
    {
        try
        {
            var buffer = new byte[bufferBytes];
            int used = 0;
            while (await queue.Reader.WaitToReadAsync(ending.Token))
            {
                while (queue.Reader.TryRead(out var payload))
                {
                    Interlocked.Add(ref queuedBytes, -payload.Length);
                    if (used + headerBytes + payload.Length > bufferBytes) used = await FlushAsync(buffer, used);
                    BinaryPrimitives.WriteInt32LittleEndian(buffer.AsSpan(used), payload.Length);
                    used += headerBytes;
                    if (used + payload.Length > bufferBytes)
                    {
                        used = await FlushAsync(buffer, used);
                        await stream.WriteAsync(payload.Memory, ending.Token);
                    }
                    else
                    {
                        payload.Span.CopyTo(buffer.AsSpan(used));
                        used += payload.Length;
                    }
                }
                used = await FlushAsync(buffer, used);
            }
            await stream.ShutdownAsync().WaitAsync(ending.Token);
        }
        catch (Exception e)
        {
            Failed(e);
        }
        finally
        {
            await EndAsync();
        }
    }

    async ValueTask<int> FlushAsync(byte[] buffer, int used)
    {
        if (used > 0) await stream.WriteAsync(buffer.AsMemory(0, used), ending.Token);
        return 0;
    }

    async Task ReadAsync()
    {
        IHandleEventListener? listener = null;
        try
        {
            listener = await ReadHandlerSource.Task.WaitAsync(ending.Token);
            var header = new byte[headerBytes];
            var input = new BufferedStream(stream, bufferBytes);
            while (await input.ReadAtLeastAsync(header, headerBytes, throwOnEndOfStream: false, ending.Token) == headerBytes)
            {
                int length = BinaryPrimitives.ReadInt32LittleEndian(header);
                if (length < 0 || length > maxFrameBytes) throw new InvalidDataException($"a frame of {length} bytes; {maxFrameBytes} are allowed");
                var payload = new byte[length];
                await input.ReadExactlyAsync(payload, ending.Token);
                listener.Notify(new InboundPayload(UnsafeByteOperations.UnsafeWrap(payload)));
            }
        }
        catch (Exception e)
        {
            Failed(e);
        }
        finally
        {
            await EndAsync();
            listener?.Notify(new Disassociated(DisassociateInfo.Unknown));
        }
    }

    void Failed(Exception error)
    {
        if (Volatile.Read(ref ended) == 0 && !ending.IsCancellationRequested && error is not OperationCanceledException)
            log.Debug("The connection between {0} and {1} has ended: {2}", LocalAddress, RemoteAddress, error.Message);
    }

    // Either task ends the other one.
    async ValueTask EndAsync()
    {
        if (Interlocked.Exchange(ref ended, 1) != 0) return;
        queue.Writer.TryComplete();
        await ending.CancelAsync();
        await stream.DisposeAsync();
    }
}

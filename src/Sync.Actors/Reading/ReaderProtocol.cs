namespace Sync.Actors.Reading;

/// <summary>To the reader: stop reading, have all confirmed that was read, end. The termination message of the singleton.</summary>
public sealed record StopReader
{
    public static readonly StopReader Instance = new();
}

/// <summary>Asks the reader how it is; answered with <see cref="ReaderStatus"/>. Within a node.</summary>
public sealed record ReaderStatusQuery
{
    public static readonly ReaderStatusQuery Instance = new();
}

/// <param name="Epoch">Its start; 0 while it has none.</param>
/// <param name="BytesUnderWay">Bytes that no lane has acknowledged.</param>
public sealed record ReaderStatus(long Epoch, long BytesUnderWay);

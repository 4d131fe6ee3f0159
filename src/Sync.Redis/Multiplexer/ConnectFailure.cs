using Microsoft.Extensions.Logging;

namespace Sync.Redis.Multiplexer;

/// <summary>Keeps the first failure that StackExchange.Redis logs: what it throws when it could not connect does not say why.</summary>
sealed class ConnectFailure : ILoggerFactory, ILogger
{
    readonly TaskCompletionSource<Exception> seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends with the failure. As it connects once, nothing comes of waiting any longer.</summary>
    public Task<Exception> Seen => seen.Task;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("It goes nowhere.");

    public bool IsEnabled(LogLevel logLevel) => !seen.Task.IsCompleted && logLevel >= LogLevel.Error;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (exception is not null) seen.TrySetResult(exception);
    }

    public void Dispose()
    {
    }
}

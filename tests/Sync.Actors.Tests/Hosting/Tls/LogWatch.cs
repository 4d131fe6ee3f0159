using System.Collections.Concurrent;
using Akka.Event;
using Akka.Hosting;

namespace Sync.Actors.Tests.Hosting.Tls;

/// <summary>Keeps what an actor system logs as warning or error.</summary>
sealed class LogWatch
{
    readonly ConcurrentQueue<string> lines = new();

    /// <summary>For a node that starts.</summary>
    public void Watch(AkkaConfigurationBuilder builder) => builder.WithActors((system, _) =>
    {
        var keeper = system.ActorOf(Props.Create(() => new Keeper(lines)), "log-watch");
        system.EventStream.Subscribe(keeper, typeof(Warning));
        system.EventStream.Subscribe(keeper, typeof(Error));
    });

    /// <summary>Waits until one line is so.</summary>
    public async Task UntilAsync(Func<string, bool> condition, double seconds = 20)
    {
        var limit = Task.Delay(TimeSpan.FromSeconds(seconds));
        while (!lines.Any(condition))
        {
            if (limit.IsCompleted) throw new TimeoutException($"After {seconds} s the log holds no such line:\n{string.Join("\n", lines)}");
            await Task.Delay(20);
        }
    }

    sealed class Keeper : ReceiveActor
    {
        public Keeper(ConcurrentQueue<string> lines) => Receive<LogEvent>(e => lines.Enqueue($"{e.Message} {e.Cause}"));
    }
}

using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Node.Telemetry;

namespace Sync.Faults.Servers;

/// <summary>
/// What <c>actorsync run</c> does, with a clock that jumps: the time of day is off by as many ticks as a file says, which is looked at ten times a second.
/// Timers go on as they are, as those of the system do when somebody sets its clock.
/// </summary>
static class ClockNode
{
    public const string Verb = "clock-node";

    public static async Task<int> RunAsync(string configFile, string clockFile)
    {
        using var stop = new CancellationTokenSource();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
        using var onTerm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var onInt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var time = new JumpingTime(clockFile);
        try
        {
            var config = ConfigLoader.Load(configFile, new Dictionary<string, string>(), Environment.CurrentDirectory);
            var log = new LineLogger(Console.Out, LogLevel.Information, colours: false, time);
            await using var host = new SingleHost(config, new HostOptions(), log, time);
            await using var http = await StatusServer.StartAsync(config.Http, host, new RedisDeadLetterReader(config, time), log, stop.Token);
            await host.RunAsync(stop.Token);
            return 0;
        }
        catch (SyncException e)
        {
            await Console.Error.WriteLineAsync($"actorsync: {e.Message}");
            return (int)e.Code;
        }
    }

    sealed class JumpingTime : TimeProvider, IDisposable
    {
        static readonly TimeSpan look = TimeSpan.FromMilliseconds(100);

        readonly string file;
        readonly Timer timer;
        long offset;

        public JumpingTime(string file)
        {
            this.file = file;
            Look();
            timer = new Timer(_ => Look(), null, look, look);
        }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Interlocked.Read(ref offset));

        void Look()
        {
            try { Interlocked.Exchange(ref offset, long.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture)); }
            catch (IOException) { /* Nobody has set the clock yet. */ }
        }

        public void Dispose() => timer.Dispose();
    }
}

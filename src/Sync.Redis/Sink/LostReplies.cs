using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Sink;

/// <summary>Asks Redis what it refused of a flight that it has applied, but whose replies were lost with the connection.</summary>
public static class LostReplies
{
    const int atOnce = 1000;

    /// <returns>The commands that were refused, in the order they were sent.</returns>
    /// <exception cref="RedisTransientException">Redis can't answer now; nothing was changed.</exception>
    public static async ValueTask<IReadOnlyList<CommandFailure>> FindAsync(RespConnection connection, IReadOnlyList<Batch> flight, CancellationToken cancellationToken)
    {
        var probe = new RefusalProbe(flight);
        var answers = new List<ProbeAnswer>(probe.Probes.Count);
        foreach (var some in probe.Probes.Chunk(atOnce))
        {
            var commands = new RespCommands();
            foreach (var (kind, key, field) in some)
            {
                if (kind == ProbeKind.Field) commands.Add("HGET", key, field);
                else commands.Add(kind == ProbeKind.Type ? "TYPE" : "GET", key);
            }
            foreach (var reply in await connection.ExecutePipelineAsync(commands, cancellationToken))
            {
                bool isOther = reply.ErrorText.StartsWith("WRONGTYPE", StringComparison.Ordinal);
                answers.Add(new ProbeAnswer(isOther ? null : reply.OrThrow(connection.Endpoint, connection.User).AsString(), isOther));
            }
        }
        return probe.Judge(answers);
    }
}

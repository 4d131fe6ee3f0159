using Sync.Engine.DeadLetters;
using Sync.Redis.DeadLetters;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Redis.Cluster;

/// <summary>
/// Applies dead letters again where a script can't reach all keys: command by command, each by a script of its own hash slot that also notes there that this
/// command of this dead letter ran. A retry that is cut off goes on behind it, and a change that comes again later is known by it.
/// </summary>
public sealed class ClusterReplay(ClusterConnections nodes, DeadLetterStore store)
{
    /// <summary>
    /// Keys: the progress hash of the slot, the command's key. Arguments: field and number of the command, then the command. Returns an empty text, or the error.
    /// </summary>
    const string Once = """
        local done = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
        if done >= tonumber(ARGV[2]) then return '' end
        local reply = redis.pcall(unpack(ARGV, 3))
        if type(reply) == 'table' and reply.err then return reply.err end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        return ''
        """;

    /// <summary>As <see cref="DeadLetterStore.ReplayAsync"/>.</summary>
    public async ValueTask<ReplayResult> RunAsync(SinkSession control, ReadOnlyMemory<byte> key, bool force, CancellationToken cancellationToken)
    {
        int applied = 0;
        foreach (string id in await store.InOrderAsync(control.Connection, key, cancellationToken))
        {
            if (await store.GetAsync(control.Connection, id, cancellationToken) is not { } letter) continue;
            if (DeadLetterStore.WhyNot(letter, force) is { } reason) return new ReplayResult(applied, new ReplayFailure(id, reason, WasTried: false));
            string field = ClusterProgress.RetriedField(letter.Position, id);
            int number = 0;
            foreach (var (slot, bytes, _) in SlotGroups.Commands(letter.Commands))
            {
                if (await RunAsync(control, slot, bytes, field, ++number, cancellationToken) is { } error) return new ReplayResult(applied, new ReplayFailure(id, error));
            }
            await store.RemoveAsync(control.Connection, [id], cancellationToken);
            applied++;
        }
        return new ReplayResult(applied, null);
    }

    /// <summary>Notes that a dead letter is given up, before it is removed, so that its change is not applied when it comes again.</summary>
    public async ValueTask GiveUpAsync(SinkSession control, DeadLetter letter, CancellationToken cancellationToken)
    {
        string field = ClusterProgress.RetriedField(letter.Position, letter.Id!);
        foreach (int slot in SlotGroups.Commands(letter.Commands).Select(c => c.Slot).Distinct())
            Throw(await nodes.ExecuteAsync(slot, new RespCommands().Add("HSET", nodes.View.Keys.ProgressOf(slot), field, int.MaxValue), control, cancellationToken));
    }

    /// <summary>Null when it is done; else why not.</summary>
    async ValueTask<string?> RunAsync(SinkSession control, int slot, ReadOnlyMemory<byte> command, string field, int number, CancellationToken cancellationToken)
    {
        var arguments = new List<RedisArgument> { "EVAL", Once, 2, nodes.View.Keys.ProgressOf(slot), "", field, number };
        var reader = new CommandReader(command.Span);
        reader.TryReadCommand(out int count);
        if (count > DeadLetterScripts.MaxArguments) return $"a command has {count} arguments, too many to be called from a script";
        for (int i = 0; i < count; i++)
        {
            byte[] argument = reader.ReadArgument().ToArray();
            if (i == 1) arguments[4] = argument;
            arguments.Add(argument);
        }
        var reply = await nodes.ExecuteAsync(slot, new RespCommands().Add(arguments.ToArray()), control, cancellationToken);
        Throw(reply);
        return reply.AsString() is { Length: > 0 } error ? DeadLetterCodec.CleanScriptError(error) : null;
    }

    static void Throw(RespValue reply) => reply.OrThrow("the Cluster", null);
}

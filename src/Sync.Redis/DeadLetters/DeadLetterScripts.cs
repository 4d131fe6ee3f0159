namespace Sync.Redis.DeadLetters;

/// <summary>
/// Scripts for what has to decide and act at once. MULTI/EXEC can't: it goes on after a command that fails, and would delete a
/// dead letter whose commands had just failed again. Keys: the stream, the hash of parked keys, the hash of retries. Only
/// administration runs these; the batch path has none.
/// </summary>
static class DeadLetterScripts
{
    /// <summary>Most arguments a command may have to be called from a script; Lua's stack takes just under 8,000.</summary>
    public const int MaxArguments = 7000;

    /// <summary>
    /// Runs the commands of one dead letter. Arguments: its id, its ordering key, the time, then per command the number of its arguments
    /// and the arguments. Stops at the first command that fails and records <c>retries done time error</c>, where <c>done</c> is how many
    /// commands have succeeded for good, so that the next retry goes on there. If all succeed the dead letter is removed.
    /// Returns {1, ''} for success, {0, error} for failure, {-1, ''} when it is not there any more.
    /// </summary>
    public const string Replay = """
        local id, key, time = ARGV[1], ARGV[2], ARGV[3]
        if #redis.call('XRANGE', KEYS[1], id, id) == 0 then return {-1, ''} end
        local retries, done = 0, 0
        local state = redis.call('HGET', KEYS[3], id)
        if state then
          local r, d = string.match(state, '^(%d+) (%d+) ')
          retries, done = tonumber(r) or 0, tonumber(d) or 0
        end
        local at, index = 4, 0
        while at <= #ARGV do
          local count = tonumber(ARGV[at])
          if index >= done then
            local reply = redis.pcall(unpack(ARGV, at + 1, at + count))
            if type(reply) == 'table' and reply.err then
              redis.call('HSET', KEYS[3], id, (retries + 1) .. ' ' .. index .. ' ' .. time .. ' ' .. reply.err)
              return {0, reply.err}
            end
          end
          at = at + count + 1
          index = index + 1
        end
        redis.call('XDEL', KEYS[1], id)
        redis.call('HDEL', KEYS[3], id)
        if redis.call('HINCRBY', KEYS[2], key, -1) < 1 then redis.call('HDEL', KEYS[2], key) end
        return {1, ''}
        """;

    /// <summary>Removes the dead letters with the ids given; returns how many there were.</summary>
    public const string Remove = """
        local removed = 0
        for _, id in ipairs(ARGV) do
          local found = redis.call('XRANGE', KEYS[1], id, id)[1]
          if found then
            local fields = found[2]
            redis.call('XDEL', KEYS[1], id)
            redis.call('HDEL', KEYS[3], id)
            removed = removed + 1
            for i = 1, #fields, 2 do
              if fields[i] == 'key' then
                if redis.call('HINCRBY', KEYS[2], fields[i + 1], -1) < 1 then redis.call('HDEL', KEYS[2], fields[i + 1]) end
              end
            end
          end
        end
        return removed
        """;
}

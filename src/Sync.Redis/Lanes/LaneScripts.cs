namespace Sync.Redis.Lanes;

/// <summary>
/// What has to be read and decided at once about who owns a lane. Keys, in this order: the hash of owners, the hash of numbers, the progress hash, and
/// our own token. Tokens of others are named from what the hash says, which no Cluster allows; a cluster of nodes writes to a single server.
/// <para>Tokens. A token is a number that no token ever was before (it comes from the count of claims), and a key without one never counts as ours. Taking a
/// lane from somebody sets that owner's token, which touches the key whether it is there, expired or gone, so a transaction that watches it is refused.
/// Therefore a token may expire: a node that finds none reads what it owns, which gives it a new one, and nothing more happens. So each is
/// kept for <see cref="TokenSeconds"/> since it was set, and what incarnations that are gone leave behind goes by itself.</para>
/// </summary>
static class LaneScripts
{
    /// <summary>How long the token of a node is kept that takes no lane and loses none: a day. It then costs one script to come by another.</summary>
    public const int TokenSeconds = 24 * 60 * 60;

    /// <summary>
    /// Takes a lane. Arguments: lane, incarnation, the history of the Redis that is asked, the lowest claim that may be given, what the keys of
    /// tokens begin with, their life in seconds. Whoever owns it gets another token, even if that is we ourselves: an earlier stay of the lane may have a
    /// flight under way. Returns {claim, position or '', epoch of the reader}, or {0, history or ''} when no reader has begun with this Redis.
    /// </summary>
    public const string Take = """
        local history = redis.call('HGET', KEYS[2], 'history')
        if history ~= ARGV[3] then return {0, history or ''} end
        local claim = math.max(tonumber(redis.call('HGET', KEYS[2], 'claims') or '0') + 1, tonumber(ARGV[4]))
        local text = string.format('%.0f', claim)
        redis.call('HSET', KEYS[2], 'claims', text)
        local before = redis.call('HGET', KEYS[1], ARGV[1])
        if before then redis.call('SET', ARGV[5] .. string.match(before, '^(%S+)'), text, 'EX', ARGV[6]) end
        if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('SET', KEYS[4], text, 'EX', ARGV[6]) end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. text)
        return {text, redis.call('HGET', KEYS[3], 'lane:' .. ARGV[1]) or '', redis.call('HGET', KEYS[2], 'epoch') or '0'}
        """;

    /// <summary>Gives a lane up if it is still ours by this claim. Arguments: lane, what the hash has to hold. Returns 1 when it was.</summary>
    public const string GiveUp = """
        if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
        return redis.call('HDEL', KEYS[1], ARGV[1])
        """;

    /// <summary>Sees to it that we have a token. Arguments: its life in seconds. A number is used up for it, so that it is like no other.</summary>
    public const string EnsureToken = """
        if redis.call('EXPIRE', KEYS[4], ARGV[1]) == 0 then
          redis.call('SET', KEYS[4], redis.call('HINCRBY', KEYS[2], 'claims', 1), 'EX', ARGV[1])
        end
        return 1
        """;

    /// <summary>What is ours. Arguments: incarnation. Returns {last claim, epoch of the reader, lane, claim, lane, claim …}.</summary>
    public const string Mine = """
        local mine = {redis.call('HGET', KEYS[2], 'claims') or '0', redis.call('HGET', KEYS[2], 'epoch') or '0'}
        local all = redis.call('HGETALL', KEYS[1])
        for i = 1, #all, 2 do
          local owner, claim = string.match(all[i + 1], '^(%S+) (%d+)$')
          if owner == ARGV[1] then
            mine[#mine + 1] = all[i]
            mine[#mine + 1] = claim
          end
        end
        return mine
        """;

    /// <summary>Takes the number of a new reader. Arguments: the lowest that may be given.</summary>
    public const string NextEpoch = """
        local epoch = math.max(tonumber(redis.call('HGET', KEYS[2], 'epochs') or '0') + 1, tonumber(ARGV[1]))
        local text = string.format('%.0f', epoch)
        redis.call('HSET', KEYS[2], 'epochs', text)
        return text
        """;
}

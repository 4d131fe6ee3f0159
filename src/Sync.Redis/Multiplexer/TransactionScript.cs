namespace Sync.Redis.Multiplexer;

/// <summary>
/// A transaction as one script. StackExchange.Redis shares its connection, so WATCH and MULTI are its own affair, and its transactions
/// hide why a command was not queued; a script does the same in one round trip, and each command's error is seen.
/// </summary>
static class TransactionScript
{
    /// <summary>What is wanted back: the reply of every command.</summary>
    public const string Values = "values";

    /// <summary>What is wanted back: the errors only, as pairs of a command's index, from 0, and its text.</summary>
    public const string Errors = "errors";

    /// <summary>Whether to look first if the user may run every command; where Redis can tell (7.0 on).</summary>
    public const string Check = "check";

    /// <summary>
    /// Arguments: MessagePack of the reads <c>{command, what was seen}</c>, the same of the commands, which of the above is wanted, whether to
    /// check, and the <c>master_replid</c> that the reads are of, or nothing. Returns nothing, and has changed nothing, when one of the reads gives something else now, or the
    /// server has taken over other data meanwhile, which may hold the same token but not all that was written. Returns an error, and has changed nothing, when Redis can't take writes
    /// now or the user may not: it finds that out before the first write of a script and not behind it. Every other error belongs to its command and
    /// leaves the others alone, as in MULTI/EXEC. A HSET of more arguments than Lua's stack takes goes in parts.
    /// </summary>
    /// <remarks>
    /// A message may have been published before that: PUBLISH writes nothing. And a user who may run some of the commands only is found out behind those
    /// where it is not checked, which before Redis 7.0 is everywhere.
    /// </remarks>
    public const string Text = """
        local refusals = {
          LOADING = true, BUSY = true, READONLY = true, OOM = true, MISCONF = true, NOREPLICAS = true, MASTERDOWN = true,
          CLUSTERDOWN = true, TRYAGAIN = true, NOPERM = true, NOAUTH = true
        }

        local function shown(item) return item and '+' .. tostring(item) or '-' end

        local function unchanged(read, seen)
          local now = redis.call(unpack(read))
          if type(now) ~= 'table' then now = {now} end
          if #now ~= #seen then return false end
          if string.upper(read[1]) ~= 'HGETALL' then
            for i = 1, #seen do if shown(now[i]) ~= seen[i] then return false end end
            return true
          end
          local fields = {}
          for i = 1, #seen, 2 do fields[seen[i]] = seen[i + 1] end
          for i = 1, #now, 2 do if fields[shown(now[i])] ~= shown(now[i + 1]) then return false end end
          return true
        end

        local function told(text, name)
          if string.find(text, 'Unknown Redis command', 1, true) then return "ERR unknown command '" .. name .. "'" end
          if string.find(text, 'Wrong number of args', 1, true) then return "ERR wrong number of arguments for '" .. string.lower(name) .. "' command" end
          return text
        end

        local function run(command)
          if #command <= 7000 then return redis.pcall(unpack(command)) end
          if string.upper(command[1]) ~= 'HSET' then return redis.error_reply('ERR too many arguments to be run by a script') end
          local sum = 0
          for i = 3, #command, 6000 do
            local reply = redis.pcall(command[1], command[2], unpack(command, i, math.min(i + 5999, #command)))
            if type(reply) ~= 'number' then return reply end
            sum = sum + reply
          end
          return sum
        end

        local reads, commands = cmsgpack.unpack(ARGV[1]), cmsgpack.unpack(ARGV[2])
        if ARGV[5] ~= '' and string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') ~= ARGV[5] then return false end
        for i = 1, #reads do if not unchanged(reads[i][1], reads[i][2]) then return false end end
        if ARGV[4] == 'check' and redis.acl_check_cmd then
          for i = 1, #commands do
            local known, allowed = pcall(redis.acl_check_cmd, unpack(commands[i], 1, math.min(#commands[i], 7000)))
            if known and not allowed then
              return redis.error_reply("NOPERM no permission to run the '" .. string.lower(commands[i][1]) .. "' command or to access one of its keys")
            end
          end
        end
        local all, answers, ran = ARGV[3] == 'values', {}, false
        for i = 1, #commands do
          local reply = run(commands[i])
          local failed = type(reply) == 'table' and reply.err
          if failed and not ran and refusals[string.match(failed, '^-?(%u+)')] then return redis.error_reply(failed) end
          if not failed and string.upper(commands[i][1]) ~= 'PUBLISH' then ran = true end
          if all then
            if failed then reply = redis.error_reply(told(failed, commands[i][1])) end
            answers[i] = reply
          elseif failed then
            answers[#answers + 1] = i - 1
            answers[#answers + 1] = told(failed, commands[i][1])
          end
        end
        return answers
        """;
}

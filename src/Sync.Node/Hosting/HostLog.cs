using Sync.Engine.Mapping;

namespace Sync.Node.Hosting;

/// <summary>The node's log lines in one place. They name tables, positions and causes, never values or secrets.</summary>
sealed partial class HostLog(ILogger logger)
{
    readonly ILogger logger = logger;

    [LoggerMessage(Level = LogLevel.Information, Message = "PostgreSQL {Version} at {Address}, Redis {RedisVersion} at {Redis}")]
    public partial void Connected(string version, string address, string redisVersion, string redis);

    [LoggerMessage(Level = LogLevel.Information, Message = "delivery of every table: {Guarantee}")]
    public partial void Promises(string guarantee);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Change}")]
    public partial void Changed(string change);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Warning}")]
    public partial void Warning(string warning);

    [LoggerMessage(Level = LogLevel.Information, Message = "slot {Slot} is in use by {Holder}; standing by to take over")]
    public partial void StandingBy(string slot, string holder);

    [LoggerMessage(Level = LogLevel.Information, Message = "streaming slot {Slot} from {Lsn} with {Workers} writers")]
    public partial void Streaming(string slot, string lsn, int workers);

    [LoggerMessage(Level = LogLevel.Information, Message = "streaming slot {Slot} from {Lsn} to {Lanes} lanes")]
    public partial void StreamingToLanes(string slot, string lsn, int lanes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Cause} Coming back in {Delay}.")]
    public partial void StreamLost(string cause, TimeSpan delay);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Writer}: {Cause} Trying again in {Delay}; order is kept, PostgreSQL keeps the WAL.")]
    public partial void RedisRefused(string writer, string cause, TimeSpan delay);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Writer}: Redis accepts writes again")]
    public partial void CircuitClosed(string writer);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Table}: the change at {Position} went to the dead letters, and what follows for its key waits behind it: {Error}; see actorsync dlq list")]
    public partial void Parked(string table, string position, string error);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Table} is stopped: {Error}; mend that and start again, its rows will be copied anew")]
    public partial void TableStopped(string table, string error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Table} was truncated and nothing says what to do about its keys in Redis; set truncate: {{commands: [...]}}, resync or ignore")]
    public partial void TruncateIgnored(string table);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Table} {Why}: {Keys} keys removed")]
    public partial void KeysRemoved(string table, string why, long keys);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Table}: re-sync begins {Where}")]
    public partial void ResyncBegun(string table, string where);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Table}: re-synced, {Rows} rows, {Mended} keys mended, {Removed} removed")]
    public partial void Resynced(string table, long rows, long mended, long removed);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Table}: the re-sync failed: {Error}")]
    public partial void ResyncFailed(string table, string error);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Rows} rows applied, {Rate:F0}/s, lag {LagMs:F1} ms and {LagBytes} B, {DeadLetters} dead letters")]
    public partial void Statistics(long rows, double rate, double lagMs, long lagBytes, long deadLetters);

    [LoggerMessage(Level = LogLevel.Information, Message = "stopping: writing what was read")]
    public partial void Stopping();

    [LoggerMessage(Level = LogLevel.Information, Message = "stopped at {Lsn}")]
    public partial void Stopped(string lsn);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Table}: copied {Rows} rows in {Seconds:F1} s, {Rate:F0}/s")]
    public partial void Copied(string table, long rows, double seconds, double rate);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Table}: the copy failed: {Error}; it is tried again when the table is changed, and at the next start")]
    public partial void CopyFailed(string table, string error);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Table}: {Rows} rows, {Percent:F0} %, {Rate:F0}/s, {SecondsLeft:F0} s left")]
    public partial void Copying(string table, long rows, double percent, double rate, double secondsLeft);

    [LoggerMessage(Level = LogLevel.Warning, Message = "writer {Writer}: Redis has applied {Rows} row changes whose replies were lost; by what its keys hold it refused {Refused} commands of them")]
    public partial void RepliesLost(int writer, int rows, int refused);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis at {Redis} may drop keys when its memory is full (maxmemory-policy {Policy}); set it to noeviction, or rows will go missing there unnoticed")]
    public partial void Evicts(string redis, string policy);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Cause} Reading from Redis how far it is, and beginning anew in {Delay}.")]
    public partial void Fenced(string cause, TimeSpan delay);

    [LoggerMessage(Level = LogLevel.Warning, Message = "slot {Slot} begins at {SlotLsn}, but Redis is only known to hold everything up to {RedisLsn}: {Answer}")]
    public partial void Gap(string slot, string slotLsn, string redisLsn, string answer);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis fell back to {Holds}, though it had acknowledged everything up to {Acknowledged}; the slot still has what is missing, it is written again")]
    public partial void Rewound(string holds, string acknowledged);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Sentence} {Answer}{Letters}")]
    public partial void HistoryChanged(string sentence, string answer, string letters);

    [LoggerMessage(Level = LogLevel.Warning, Message = "PostgreSQL is on timeline {Timeline} now, which left timeline {Before} at {At}: it has all that Redis holds, so streaming goes on")]
    public partial void Promoted(uint timeline, uint before, string at);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Cause} Slot {Slot} was dropped and is made anew, and every table is read again")]
    public partial void SlotRemade(string cause, string slot);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Table}: a command needs an old value that PostgreSQL did not send; a command with it in its key was left out, a difference was taken from 0 (onUnknownOldValue: park stops that); actorsync validate --connect names the ALTER TABLE that helps")]
    public partial void OldValueMissing(string table);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Change}: it is read again")]
    public partial void SchemaReread(string change);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Change}: the connection is opened anew to settle it")]
    public partial void SchemaAnew(string change);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Table} may be outdated in Redis: {Notice}")]
    public partial void SchemaNoticed(string table, string notice);

    public void Issues(IEnumerable<MappingIssue> issues)
    {
        foreach (var issue in issues) Warning(issue.ToString());
    }
}

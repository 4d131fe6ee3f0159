using Sync.Contracts.Configuration;

namespace Sync.Node.Hosting;

/// <summary>What is promised about every row change, in the words that validate, the log and <c>/api/status</c> share.</summary>
static class Guarantees
{
    public static string Of(SyncConfig config) => (config.Delivery, config.Redis.Sentinel) switch
    {
        (Delivery.AtLeastOnce, _) => "at least once, in order per key; the commands of a row as one transaction",
        (_, null) => "exactly once in effect, in order per key; the commands of a row as one transaction",
        _ => "exactly once in effect, in order per key; the commands of a row as one transaction; what a failover loses is written again, "
            + "from the slot or by copying",
    };
}

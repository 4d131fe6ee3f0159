using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;

namespace Sync.Node.Hosting;

/// <summary>What is promised about every row change, in the words that validate, the log and <c>/api/status</c> share.</summary>
static class Guarantees
{
    const string rowIsOne = "the commands of a row as one transaction";

    public static string Of(SyncConfig config)
    {
        string delivery = config.Delivery == Delivery.AtLeastOnce ? "at least once, in order per key" : "exactly once in effect, in order per key";
        if (config.Redis.IsCluster) return $"{delivery}; {rowIsOne} where their keys share a hash slot";
        string failover = config.Redis.Sentinel is null || config.Delivery == Delivery.AtLeastOnce ? "" : "; what a failover loses is written again, from the slot or by copying";
        return $"{delivery}; {rowIsOne}{failover}";
    }

    /// <summary>For one table, where that differs from table to table; else empty.</summary>
    public static string Of(SyncConfig config, TableConfig table) => !config.Redis.IsCluster ? ""
        : HashTags.KeepRowsTogether(table) ? rowIsOne
        : "the keys of a row are in different hash slots: each command once, but they become visible one after another; give the keys a common hash tag, such as {{{id}}}, to change that";
}

using System.Globalization;
using Sync.Node.Resync;

namespace Sync.Node.Commands;

/// <summary>Re-syncs for people.</summary>
static class ResyncText
{
    public static void Write(IReadOnlyList<ResyncStatus> resyncs, TextWriter output)
    {
        if (resyncs.Count == 0) output.WriteLine("no re-sync is under way, and none has ended");
        foreach (var resync in resyncs)
        {
            output.WriteLine(Line(resync));
            if (resync.Error.Length > 0) output.WriteLine(Terminal.Field($"  {(resync.State == ResyncState.Failed ? "why" : "last refusal")}: {resync.Error}"));
            foreach (string note in resync.NotCovered) output.WriteLine(Terminal.Field($"  not covered: {note}"));
        }
    }

    public static string Line(ResyncStatus resync)
    {
        var words = new List<string>();
        void Say(long count, string what, bool always = false)
        {
            if (count > 0 || always) words.Add(string.Create(CultureInfo.InvariantCulture, $"{count:N0} {what}"));
        }
        Say(resync.Rows, "rows", true);
        Say(resync.Keys, "keys traced");
        Say(resync.Mended, "keys mended", true);
        Say(resync.Removed, "removed", true);
        Say(resync.Parked, "rows wait in the dead letters");
        Say(resync.Unsettled, "kept changing");
        Say(resync.Refused, "refused");
        string state = resync.State.ToString().ToLowerInvariant();
        if (resync.State == ResyncState.Running) state += resync.Phase == ResyncPhase.Rows ? ", reading rows" : ", tracing keys";
        return Terminal.Field($"{resync.Table}  {state}: {string.Join(", ", words)}");
    }
}

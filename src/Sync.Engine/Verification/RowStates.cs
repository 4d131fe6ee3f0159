using System.Collections.Concurrent;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Engine.Mapping;

namespace Sync.Engine.Verification;

/// <summary>
/// What Redis must hold because of a row, as it travels to the lane that compares it. The lane knows nothing of tables, so what other writers may have put into a key
/// goes along.
/// </summary>
public static class RowStates
{
    // Names of fields as configurations have them: few, and always the same.
    static readonly ConcurrentDictionary<string, KeyPattern> patterns = new(StringComparer.Ordinal);

    /// <summary>For the way.</summary>
    /// <param name="row">What a row says.</param>
    /// <param name="plan">Of its table.</param>
    public static RowState Of(RowExpectation row, VerificationPlan plan)
    {
        if (row.IsPoison) return new RowState(true, []);
        var keys = new List<KeyState>();
        foreach (var key in row.Keys)
            if (plan.RivalsIn(LosslessText.GetString(key.Key)) is { } rivals) keys.Add(Of(key, rivals));
        return new RowState(false, keys);
    }

    static KeyState Of(ExpectedKey key, IReadOnlyList<WrittenPlace> rivals) => new(
        key.Key, (int)key.Content, key.Written is not null, key.Written, key.Text is null && key.Written is not null,
        [.. key.Parts.Select(part => new PartState(part.Name, part.Value, (int)part.Rule))],
        key.IsOwn, key.IsWhole, key.LifeMs, key.MayHaveEnded, rivals.Count > 0, [.. rivals.SelectMany(r => r.Parts!).Select(p => p.Shape).Distinct()]);

    /// <summary>As it was before.</summary>
    public static ExpectedKey Expected(KeyState state)
    {
        var key = new ExpectedKey(state.Key.ToArray()) { IsOwn = state.IsOwn, IsWhole = state.IsWhole };
        key.Become((KeyContent)state.Content, state.HasText ? state.Text.ToArray() : null, state.IsVague);
        foreach (var part in state.Parts) key.Put(part.Name.ToArray(), part.Value.ToArray(), (PartRule)part.Rule);
        key.Live(state.LifeMs, state.MayHaveEnded);
        return key;
    }

    /// <summary>Whether another writer than the row may stand behind a difference, as <see cref="VerificationPlan.IsContested"/> tells where the tables are known.</summary>
    public static bool IsContested(KeyState state, StateDifference difference)
    {
        if (!state.IsShared) return false;
        if (difference.Part is null) return true;
        string part = LosslessText.GetString(difference.Part);
        return state.ForeignParts.Any(shape => patterns.GetOrAdd(shape, KeyPattern.OfShape).Matches(part));
    }
}

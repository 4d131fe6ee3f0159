namespace Sync.Engine.Lanes;

/// <summary>
/// Keeps the order of one key: at most one change set of it is offered or in flight, what comes meanwhile waits and travels together in the next one. A row is
/// known by its number in the lane (<see cref="LaneRounds"/>). Belongs to the key alone; what it offers must not be changed and stays valid until it is home.
/// </summary>
public sealed class KeyOrder
{
    List<long> waiting = [], underWay = [];
    int home;

    /// <summary>Whether nothing of the key is under way or waits.</summary>
    public bool IsIdle => waiting.Count == 0 && underWay.Count == 0;

    /// <summary>Rows that wait, are offered or in flight.</summary>
    public int Rows => waiting.Count + underWay.Count - home;

    /// <summary>Rows that wait.</summary>
    public int Waiting => waiting.Count;

    /// <summary>Whether there is something to offer.</summary>
    public bool CanOffer => underWay.Count == 0 && waiting.Count > 0;

    /// <summary>A row of the key came; numbers grow from call to call.</summary>
    public void Add(long row) => waiting.Add(row);

    /// <summary>The next change set: all rows that wait, in order; null while one is under way or none waits.</summary>
    public IReadOnlyList<long>? Offer()
    {
        if (!CanOffer) return null;
        (waiting, underWay) = (underWay, waiting);
        return underWay;
    }

    /// <summary>A flight came home; a flight that was full may leave a part of the change set behind, which stays offered.</summary>
    /// <param name="through">The last row of the lane that is home.</param>
    /// <returns>True when nothing is under way any more, so that what waits may be offered.</returns>
    public bool Home(long through)
    {
        while (home < underWay.Count && underWay[home] <= through) home++;
        if (home < underWay.Count) return false;
        underWay.Clear();
        home = 0;
        return true;
    }
}

namespace Sync.Engine.Lanes;

/// <summary>
/// What a writer knows of the lanes that its node owns: which takeover of a lane may write. A takeover is known by its claim, a number that Redis counts
/// up, because the name of the node is not enough: a lane may leave a node and come back while rows of its earlier stay still wait for the writer.
/// <para>The order of reading carries the proof. First the token is watched and read, then, in one script, the number of the last claim and the lanes
/// of this node. Whoever takes a lane away after that raises the token, so the next flight is refused and all is read again. Whoever took one before is
/// seen here. A claim above the last one was made since, and only its own takeover can know it.</para>
/// Belongs to one writer.
/// </summary>
public sealed class LaneClaims
{
    readonly Dictionary<int, long> claims = [];
    long lastClaim, token = -1;

    /// <summary>
    /// Whether a token that was read says that nothing was taken away since <see cref="Checked"/>. If not, read what is still owned before the next flight.
    /// </summary>
    public bool IsCurrent(long readToken) => token == readToken;

    /// <summary>What was read after the token.</summary>
    /// <param name="readToken">The token of this node, watched by the connection.</param>
    /// <param name="last">The last claim of any node when the lanes were read.</param>
    /// <param name="owned">Lanes of this node and their claims.</param>
    public void Checked(long readToken, long last, IEnumerable<KeyValuePair<int, long>> owned)
    {
        token = readToken;
        lastClaim = last;
        claims.Clear();
        foreach (var (lane, claim) in owned) claims[lane] = claim;
    }

    /// <summary>Whether rows that a takeover accepted may be written. False: drop them, and the lane's actor has to end.</summary>
    public bool MayWrite(int lane, long claim) => claim > lastClaim || (claims.TryGetValue(lane, out long current) && current == claim);
}

using Sync.Contracts.Cluster;

namespace Sync.Engine.Lanes;

/// <param name="AskAfter">Silence of a lane with something unacknowledged after which it is asked how far it is, above 0; doubled with each further silence.</param>
/// <param name="AskAtMost">The longest of these times, <paramref name="AskAfter"/> or more. A lane that has moved goes on within it.</param>
/// <param name="ResumePause">A lane that asks again within this time for what was just sent again is not listened to, 0 or more.</param>
/// <param name="FirstCredit">Bytes that may be unacknowledged before the lane has said how much, 0 or more.</param>
public readonly record struct LaneSenderOptions(TimeSpan AskAfter, TimeSpan AskAtMost, TimeSpan ResumePause, long FirstCredit)
{
    /// <summary>1 s, doubled up to 2 s; 100 ms; 256 KiB; 2 batches; 32 KiB.</summary>
    public static readonly LaneSenderOptions Default =
        new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(100), 256 * 1024) { MergeFrom = 2, MergeBytes = 32 * 1024 };

    /// <summary>Batches under way from which those that follow are put together until one of them is home, 0 for never. With 2 the lane always has the next one when a flight comes home.</summary>
    public int MergeFrom { get; init; }

    /// <summary>Bytes from which batches that were put together go all the same, 0 or more.</summary>
    public int MergeBytes { get; init; }
}

/// <summary>What an answer of a lane has settled.</summary>
/// <param name="Batches">Batches that are in Redis now, 0 or more; one that was added in parts counts with its last part.</param>
/// <param name="Bytes">Bytes that are not unacknowledged any more, 0 or more.</param>
public readonly record struct LaneSettled(int Batches, long Bytes);

/// <summary>
/// The reader's side of one lane in one epoch: numbers the batches, keeps each until the lane says that Redis has it, and decides what to send when, so
/// that the lane gets all of them however badly messages travel. Belongs to the reader alone. How it is used: <see cref="HasRoomFor"/> and
/// <see cref="Add"/> for each batch, <see cref="Next"/> until it gives nothing, again after every answer of the lane and at <see cref="WakesAt"/>.
/// The rules it keeps:
/// <list type="number">
/// <item>A number means the same rows whenever it is sent, and says what was unacknowledged when it was sent.</item>
/// <item>What is acknowledged counts whoever says it: every owner of the lane, past or present, speaks of what Redis holds, and that does not go back.</item>
/// <item>What a lane holds in memory counts only from the latest owner heard of. Another owner is asked what it has.</item>
/// <item>While several are under way, what comes is put together: the lane can't write it before they are home, and a message costs as much as many rows.</item>
/// <item>Into silence goes a question only, and nothing more before the answer, which tells whether the lane lost anything. So one that is merely slow gets nothing
/// twice, nor one whose acknowledgements are. Only an owner that was replaced before, and answers all the same, gets the oldest batch, once for a question: Redis
/// refuses it, and so it ends.</item>
/// </list>
/// </summary>
public sealed class LaneSender(int lane, long epoch, LaneSenderOptions options)
{
    readonly record struct Sent(LaneRows Rows, int EndedBatches);

    readonly long epoch = epoch;

    // Without a number yet.
    readonly List<LaneRows> waiting = [];
    int waitingBytes, waitingBatches;

    // By number, modulo its length, which is a power of two.
    Sent[] ring = new Sent[8];
    long oldest = 1, next = 1, cursor = 1, heardClaim;
    DateTimeOffset? silentAt;
    DateTimeOffset listensAt;
    int silences;

    // Numbers of questions: the last one, the first that nobody has answered, and the last before the oldest batch went in place of one.
    long asked, askedSince, told;
    bool tellsOldest;

    /// <summary>Which lane.</summary>
    public int Lane => lane;

    /// <summary>See <see cref="LaneBatch.Since"/>; set before the first batch.</summary>
    public long Since { get; set; }

    /// <summary>Whether all that was added is in Redis.</summary>
    public bool IsSettled => oldest == next && waiting.Count == 0;

    /// <summary>Bytes added and not acknowledged.</summary>
    public long UnackedBytes { get; private set; }

    /// <summary>Bytes that may be unacknowledged, as the lane said last.</summary>
    public long Credit { get; private set; } = options.FirstCredit;

    /// <summary>The highest epoch that the lane spoke of. One above ours means that a later reader has started, and this one has to end.</summary>
    public long NewestEpoch { get; private set; } = epoch;

    /// <summary>When <see cref="Next"/> wants to be asked again though nothing came from the lane; null while nothing is unacknowledged.</summary>
    public DateTimeOffset? WakesAt => silentAt;

    /// <summary>Whether the lane's credit has room. With nothing unacknowledged there is always room, for a batch of any size.</summary>
    public bool HasRoomFor(long bytes) => IsSettled || UnackedBytes + bytes <= Credit;

    /// <summary>Takes over the next rows of the lane; they must not change any more.</summary>
    /// <param name="rows">One row or more.</param>
    /// <param name="endsBatch">False for each part but the last of a batch that was too large for one message.</param>
    public void Add(LaneRows rows, bool endsBatch = true)
    {
        if (waiting.Count > 0 && (waitingBytes + rows.Bytes > options.MergeBytes || !waiting[0].GoWith(rows))) Number();
        waiting.Add(rows);
        waitingBytes += rows.Bytes;
        if (endsBatch) waitingBatches++;
        UnackedBytes += rows.Bytes;
        if (!HasToWait) Number();
    }

    /// <summary>Whether <see cref="Next"/> has something.</summary>
    public bool CanSend(DateTimeOffset now) => now >= silentAt || (!IsAsking && (cursor != next || (waiting.Count > 0 && !HasToWait)));

    /// <summary>Whether an answer is waited for, and nothing sent before it comes.</summary>
    bool IsAsking => askedSince != 0;

    /// <summary>Whether enough is under way for what comes to be put together.</summary>
    bool HasToWait => options.MergeFrom > 0 && next - oldest >= options.MergeFrom;

    /// <summary>What to send now; null when there is nothing, or the lane has to be heard of first.</summary>
    public LaneBatch? Next(DateTimeOffset now)
    {
        if (!CanSend(now)) return null;
        if (now >= silentAt)
        {
            silentAt = now + Patience(++silences);
            if (tellsOldest)
            {
                tellsOldest = false;
                return Message(oldest);
            }
            asked++;
            if (!IsAsking) askedSince = asked;
            return LaneBatch.Question(lane, epoch, asked, oldest) with { Since = Since };
        }
        silentAt ??= now + options.AskAfter;
        if (cursor == next) Number();
        return Message(cursor++);
    }

    /// <summary>The lane says how far Redis is.</summary>
    /// <exception cref="InvalidOperationException">It speaks of a batch that was never sent.</exception>
    public LaneSettled Acknowledged(LaneAck ack, DateTimeOffset now)
    {
        if (!IsOurs(ack.Epoch)) return default;
        if (ack.Seq >= next)
            throw new InvalidOperationException($"Lane {lane} acknowledges batch {ack.Seq} of epoch {epoch}, of which only {next - 1} were sent.");
        var settled = Settle(ack.Seq);
        Heard(ack.Claim, ack.Expected, ack.Credit, isGap: false, ack.Answers, now);
        return settled;
    }

    /// <summary>The lane misses something.</summary>
    public void Resumed(LaneResume resume, DateTimeOffset now)
    {
        if (IsOurs(resume.Epoch)) Heard(resume.Claim, resume.Expected, resume.Credit, isGap: true, answers: 0, now);
    }

    /// <summary>The lane has drained and was given up, so the next owner is looked for at once.</summary>
    public LaneSettled Drained(LaneDrained drained, DateTimeOffset now)
    {
        if (!IsOurs(drained.Epoch) || drained.Seq >= next) return default;
        var settled = Settle(drained.Seq);
        if (drained.Claim >= heardClaim && oldest != next) silentAt = now;
        return settled;
    }

    bool IsOurs(long spokenOf)
    {
        NewestEpoch = Math.Max(NewestEpoch, spokenOf);
        return spokenOf == epoch;
    }

    LaneSettled Settle(long through)
    {
        int batches = 0;
        long bytes = 0;
        for (; oldest <= through; oldest++)
        {
            ref var sent = ref ring[oldest & (ring.Length - 1)];
            bytes += sent.Rows.Bytes;
            batches += sent.EndedBatches;
            sent = default;
        }
        UnackedBytes -= bytes;
        cursor = Math.Max(cursor, oldest);
        if (oldest == next)
        {
            silentAt = null;
            askedSince = 0;
            tellsOldest = false;
        }
        return new LaneSettled(batches, bytes);
    }

    /// <summary>Gives what waits the next number; from here on it is the same whenever it is sent.</summary>
    void Number()
    {
        if (next - oldest == ring.Length) Grow();
        ring[next++ & (ring.Length - 1)] = new Sent(LaneRows.Join(waiting), waitingBatches);
        waiting.Clear();
        (waitingBytes, waitingBatches) = (0, 0);
    }

    void Heard(long claim, long expected, long credit, bool isGap, long answers, DateTimeOffset now)
    {
        bool isAnswer = IsAsking && answers >= askedSince;
        if (claim < heardClaim)
        {
            // Whoever answers in its place was replaced and does not know it. It learns so when it writes.
            if (isAnswer && answers > told) (told, tellsOldest, silentAt) = (asked, true, now);
            return;
        }
        bool isAnother = heardClaim != 0 && claim > heardClaim;
        heardClaim = claim;
        Credit = credit;
        silences = 0;
        long wanted = Math.Clamp(expected, oldest, next);
        // What was said before the question may have been held up for as long as the silence lasted, and the owner has more by now.
        bool sendsFromThere = isAnswer || (isGap && (isAnother || (!IsAsking && now >= listensAt)));
        if (sendsFromThere)
        {
            cursor = wanted;
            listensAt = now + options.ResumePause;
            askedSince = 0;
            tellsOldest = false;
        }
        else cursor = Math.Max(cursor, wanted);
        if (silentAt is null || IsAsking) return;
        // Another owner has what it says it has, and perhaps what is on its way to it.
        silentAt = isAnother && !sendsFromThere ? now : now + options.AskAfter;
    }

    LaneBatch Message(long seq) => new(lane, epoch, seq, oldest, ring[seq & (ring.Length - 1)].Rows) { Since = Since };

    TimeSpan Patience(int silence)
    {
        var patience = options.AskAfter * (1 << Math.Min(silence, 16));
        return patience < options.AskAtMost ? patience : options.AskAtMost;
    }

    void Grow()
    {
        var larger = new Sent[2 * ring.Length];
        for (long seq = oldest; seq < next; seq++) larger[seq & (larger.Length - 1)] = ring[seq & (ring.Length - 1)];
        ring = larger;
    }
}

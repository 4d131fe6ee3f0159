using System.Globalization;
using Sync.Contracts;

namespace Sync.Engine.Progress;

/// <summary>
/// What the progress hash says, merged into one position per lane. Writers record the position they reached either per lane
/// (<c>lane:&lt;n&gt;</c>) or per worker (<c>w:&lt;workers&gt;:&lt;i&gt;</c>), where worker <c>i</c> of <c>n</c> carries every lane <c>L</c> with
/// <c>L mod n = i</c>. The number of workers may differ from run to run, so several generations of worker fields can stand
/// side by side; a lane's position is the highest of all that cover it, because each was recorded in one transaction with the data.
/// Immutable.
/// </summary>
public sealed class LanePositions
{
    /// <summary>Lanes that ordering keys are spread over; independent of workers and nodes, and fixed for the life of a slot.</summary>
    public const int DefaultLanes = 256;

    /// <summary>Field with the system identifier of the PostgreSQL cluster that the positions belong to.</summary>
    public const string SystemField = "system";

    /// <summary>Field with the number of lanes.</summary>
    public const string LanesField = "lanes";

    /// <summary>Field with the LSN that PostgreSQL was told, at most, that it may forget.</summary>
    public const string ConfirmedField = "confirmed";

    /// <summary>Field that is there once every master of a Cluster has its stamp: one without is then one that lost it.</summary>
    public const string StampedField = "stamped";

    /// <summary>Field with the timeline that is followed and those before it (<see cref="LogHistory.Text"/>).</summary>
    public const string TimelineField = "timeline";

    /// <summary>Field with how far the log was known to reach.</summary>
    public const string LogField = "log";

    /// <summary>Field with the last transaction that was applied when the confirmed position was recorded, and the publication it came by.</summary>
    public const string LandmarkField = "landmark";

    /// <summary>Field with the OID of the publication, which is another one when the publication is dropped and created again.</summary>
    public const string PublicationField = "publication";

    /// <summary>Field that is there while what the hash slots of a Cluster hold of an abandoned history has yet to be removed.</summary>
    public const string ClearingField = "clearing";

    const string LanePrefix = "lane:";
    const string WorkerPrefix = "w:";

    readonly Position[] positions;

    LanePositions(Position[] positions, int? recordedLanes, IReadOnlyList<string> workerFields)
    {
        this.positions = positions;
        RecordedLanes = recordedLanes;
        WorkerFields = workerFields;
        foreach (var position in positions) Highest = position > Highest ? position : Highest;
        Lowest = positions.Min();
    }

    /// <summary>How many lanes there are.</summary>
    public int Count => positions.Length;

    /// <summary>The position of a lane; <see cref="Position.None"/> when nothing was recorded for it.</summary>
    public Position this[int lane] => positions[lane];

    /// <summary>The position of the lane that is furthest ahead.</summary>
    public Position Highest { get; }

    /// <summary>The position of the lane that is furthest behind.</summary>
    public Position Lowest { get; }

    /// <summary>The system identifier found; null when there is none yet.</summary>
    public string? System => Log?.System;

    /// <summary>The log that the positions belong to; null when there is none yet.</summary>
    public LogHistory? Log { get; private init; }

    /// <summary>How far that log was known to reach; <see cref="Lsn.None"/> when there is no record of it.</summary>
    public Lsn LogEnd { get; private init; }

    /// <summary>The last transaction that was applied when <see cref="Confirmed"/> was recorded; its place is <see cref="Lsn.None"/> when there is no record of it.</summary>
    public Landmark Landmark { get; private init; }

    /// <summary>The name of the publication that <see cref="Landmark"/> came by.</summary>
    public string LandmarkPublication { get; private init; } = "";

    /// <summary>The OID of the publication; 0 when there is no record of it.</summary>
    public uint Publication { get; private init; }

    /// <summary>Whether hash slots of a Cluster may still hold positions of an abandoned history.</summary>
    public bool IsClearing { get; private init; }

    /// <summary>The number of lanes found; null when there is none yet.</summary>
    public int? RecordedLanes { get; }

    /// <summary>What PostgreSQL was told, at most, that it may forget; <see cref="Lsn.None"/> when there is no record of it.</summary>
    public Lsn Confirmed { get; private init; }

    /// <summary>Whether every master of a Cluster was stamped once.</summary>
    public bool IsStamped { get; private init; }

    /// <summary>The worker fields found, of every generation.</summary>
    public IReadOnlyList<string> WorkerFields { get; }

    public static string LaneField(int lane) => $"{LanePrefix}{lane.ToString(CultureInfo.InvariantCulture)}";

    public static string WorkerField(int workers, int worker) =>
        string.Create(CultureInfo.InvariantCulture, $"{WorkerPrefix}{workers}:{worker}");

    /// <summary>Merges the fields of the hash. Fields of other names are left alone: a later version may have written them.</summary>
    /// <param name="lanes">How many lanes there are, 1 or more.</param>
    /// <param name="fields">Names and values.</param>
    /// <exception cref="FormatException">A field of ours holds something else than it should; the message names it.</exception>
    public static LanePositions Merge(int lanes, IEnumerable<KeyValuePair<string, string>> fields)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lanes, 1);
        var positions = new Position[lanes];
        var workerFields = new List<string>();
        string? system = null, timeline = null;
        int? recordedLanes = null;
        Lsn confirmed = Lsn.None, logEnd = Lsn.None;
        var landmark = default(Landmark);
        string landmarkPublication = "";
        uint publication = 0;
        bool isStamped = false, isClearing = false;
        foreach (var (name, value) in fields)
        {
            if (name == SystemField)
                system = value;
            else if (name == ConfirmedField)
                confirmed = LsnOf(name, value);
            else if (name == LogField)
                logEnd = LsnOf(name, value);
            else if (name == TimelineField)
                timeline = value;
            else if (name == LandmarkField)
                (landmark, landmarkPublication) = LandmarkOf(name, value);
            else if (name == PublicationField)
                publication = uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint oid) ? oid : throw Bad(name, value, "an OID");
            else if (name == StampedField)
                isStamped = true;
            else if (name == ClearingField)
                isClearing = true;
            else if (name == LanesField)
                recordedLanes = TryNumber(value, out int number) && number > 0 ? number : throw Bad(name, value, "a number of lanes");
            else if (name.StartsWith(LanePrefix, StringComparison.Ordinal) && TryNumber(name.AsSpan(LanePrefix.Length), out int lane))
            {
                if (lane >= lanes) throw new FormatException($"the field '{name}' is for a lane beyond the {lanes} there are");
                Raise(lane, PositionOf(name, value));
            }
            else if (TryWorker(name, out int workers, out int worker))
            {
                var position = PositionOf(name, value);
                for (int covered = worker; covered < lanes; covered += workers) Raise(covered, position);
                workerFields.Add(name);
            }
        }
        return new LanePositions(positions, recordedLanes, workerFields)
        {
            Log = system is null ? null : LogOf(system, timeline),
            LogEnd = logEnd,
            Confirmed = confirmed,
            Landmark = landmark,
            LandmarkPublication = landmarkPublication,
            Publication = publication,
            IsStamped = isStamped,
            IsClearing = isClearing,
        };

        void Raise(int lane, Position position)
        {
            if (position > positions[lane]) positions[lane] = position;
        }
    }

    /// <summary>What is left when the history that they belong to is abandoned: nothing but what a new one begins with.</summary>
    /// <param name="lanes">How many lanes there are, 1 or more.</param>
    /// <param name="log">The log that is followed from now on.</param>
    /// <param name="begin">Where it is followed from.</param>
    public static LanePositions Anew(int lanes, LogHistory log, Lsn begin) => new(new Position[lanes], lanes, []) { Log = log, LogEnd = begin, Confirmed = begin };

    /// <summary>The same positions, with a confirmed one that is not beyond <paramref name="most"/>: what was confirmed beyond it is not in the log that is followed now.</summary>
    public LanePositions ConfirmedAtMost(Lsn most) => most == Lsn.None || Confirmed <= most ? this : new LanePositions(positions, RecordedLanes, WorkerFields)
    {
        Log = Log,
        LogEnd = LogEnd,
        Confirmed = most,
        Landmark = Landmark,
        LandmarkPublication = LandmarkPublication,
        Publication = Publication,
        IsStamped = IsStamped,
        IsClearing = IsClearing,
    };

    static LogHistory LogOf(string system, string? timeline)
    {
        var unknown = new LogHistory(system, 0, null);
        if (timeline is null) return unknown;
        return LogHistory.TryParse(system, timeline, out var log) ? log : throw Bad(TimelineField, timeline, "a timeline");
    }

    static (Landmark, string) LandmarkOf(string name, string value)
    {
        string[] words = value.Split(' ', 4);
        return words.Length == 4 && Landmark.TryParse(string.Join(' ', words[..3]), out var landmark) ? (landmark, words[3]) : throw Bad(name, value, "a transaction");
    }

    static Lsn LsnOf(string name, string value) => Lsn.TryParse(value, out var lsn) ? lsn : throw Bad(name, value, "a place in the log");

    static bool TryWorker(string name, out int workers, out int worker)
    {
        workers = 0;
        worker = 0;
        if (!name.StartsWith(WorkerPrefix, StringComparison.Ordinal)) return false;
        int colon = name.IndexOf(':', WorkerPrefix.Length);
        return colon > 0
            && TryNumber(name.AsSpan(WorkerPrefix.Length, colon - WorkerPrefix.Length), out workers) && workers > 0
            && TryNumber(name.AsSpan(colon + 1), out worker) && worker < workers;
    }

    static bool TryNumber(ReadOnlySpan<char> text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    static Position PositionOf(string name, string value) => Position.TryParse(value, out var position) ? position : throw Bad(name, value, "a position");

    static FormatException Bad(string name, string value, string expected) =>
        new($"the field '{name}' holds '{(value.Length > 40 ? value[..40] : value)}' where {expected} belongs");
}

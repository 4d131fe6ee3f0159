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

    const string LanePrefix = "lane:";
    const string WorkerPrefix = "w:";

    readonly Position[] positions;

    LanePositions(Position[] positions, string? system, int? recordedLanes, IReadOnlyList<string> workerFields, Lsn confirmed, bool isStamped)
    {
        Confirmed = confirmed;
        IsStamped = isStamped;
        this.positions = positions;
        System = system;
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
    public string? System { get; }

    /// <summary>The number of lanes found; null when there is none yet.</summary>
    public int? RecordedLanes { get; }

    /// <summary>What PostgreSQL was told, at most, that it may forget; <see cref="Lsn.None"/> when there is no record of it.</summary>
    public Lsn Confirmed { get; }

    /// <summary>Whether every master of a Cluster was stamped once.</summary>
    public bool IsStamped { get; }

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
        string? system = null;
        int? recordedLanes = null;
        var confirmed = Lsn.None;
        bool isStamped = false;
        foreach (var (name, value) in fields)
        {
            if (name == SystemField)
                system = value;
            else if (name == ConfirmedField)
                confirmed = Lsn.TryParse(value, out var lsn) ? lsn : throw Bad(name, value, "a place in the log");
            else if (name == StampedField)
                isStamped = true;
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
        return new LanePositions(positions, system, recordedLanes, workerFields, confirmed, isStamped);

        void Raise(int lane, Position position)
        {
            if (position > positions[lane]) positions[lane] = position;
        }
    }

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

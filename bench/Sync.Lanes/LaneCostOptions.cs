using System.Globalization;

namespace Sync.Lanes;

/// <param name="Rows">Rows of a round.</param>
/// <param name="Keys">Ordering keys they are spread over.</param>
/// <param name="Batch">Rows of a batch.</param>
/// <param name="DelayMs">How long a transaction takes; 0 answers at once.</param>
/// <param name="BudgetMiB">What may be unacknowledged in all lanes.</param>
/// <param name="Lanes">How many lanes.</param>
/// <param name="ActorFrom">Rows of a key that wait from which it has an actor.</param>
sealed record LaneCostOptions(int Rows, int Keys, int Batch, int DelayMs, int BudgetMiB, int Lanes, int ActorFrom)
{
    public static LaneCostOptions Parse(string[] args)
    {
        int Value(string name, int other)
        {
            int at = Array.IndexOf(args, name);
            return at < 0 ? other : int.Parse(args[at + 1], CultureInfo.InvariantCulture);
        }
        return new LaneCostOptions(
            Value("--rows", 1_000_000), Value("--keys", 100_000), Value("--batch", 100), Value("--delay-ms", 1), Value("--budget-mib", 16), Value("--lanes", 256),
            Value("--actor-from", 16));
    }
}

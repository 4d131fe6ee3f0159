using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Sync.Engine.Tests.Simulation;

/// <summary>What can tell what it does.</summary>
interface ITraced
{
    bool IsTracing { get; }
}

/// <summary>Text that is put together only when somebody will read it: ten thousand runs have millions of lines.</summary>
[InterpolatedStringHandler]
ref struct TraceLine
{
    readonly StringBuilder? text;

    public TraceLine(int literalLength, int formattedCount, ITraced world, out bool isWanted)
    {
        isWanted = world.IsTracing;
        if (isWanted) text = new StringBuilder(literalLength + (8 * formattedCount));
    }

    public readonly void AppendLiteral(string literal) => text!.Append(literal);

    public readonly void AppendFormatted<T>(T value) => text!.Append(CultureInfo.InvariantCulture, $"{value}");

    public override readonly string ToString() => text?.ToString() ?? "";
}

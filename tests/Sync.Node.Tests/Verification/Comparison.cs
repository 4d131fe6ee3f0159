using Sync.Node.Tests.Hosting;
using Sync.Node.Verification;

namespace Sync.Node.Tests.Verification;

/// <summary>Compares both ends of a pipeline as <c>actorsync verify</c> does, and says what it found in few words.</summary>
static class Comparison
{
    public static readonly VerifyOptions Options = new(Table: null, RowsPerSecond: 10_000_000, Repair: false, Examples: 1000);

    public static Task<VerifyReport> VerifyAsync(this Pipeline pipeline, VerifyOptions? options = null, Uri? url = null) =>
        new Verifier(Pipeline.Load(pipeline.Config), url, TimeProvider.System).RunAsync(options ?? Options, CancellationToken.None);

    /// <summary>The differences, a line each: <c>kind key: what</c>, sorted.</summary>
    public static string[] Differences(this VerifyReport report) =>
        [.. report.Tables.SelectMany(t => t.Examples).Select(e => $"{e.Kind} {e.Key}: {e.What}").Order(StringComparer.Ordinal)];

    public static void ShouldHaveNoDrift(this VerifyReport report) =>
        string.Join('\n', report.Differences().Where(d => !d.StartsWith("unsettled", StringComparison.Ordinal))).ShouldBe("");

    public static void ShouldBeClean(this VerifyReport report)
    {
        report.Differences().ShouldBeEmpty();
        report.Drift.ShouldBe(0);
    }
}

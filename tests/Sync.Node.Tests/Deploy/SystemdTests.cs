using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Testing;

namespace Sync.Node.Tests.Deploy;

public sealed class SystemdTests
{
    /// <summary>Ends that are no reason to leave a node down. A new exit code belongs here or into the unit.</summary>
    static readonly ExitCode[] worthAnotherStart = [ExitCode.Ok, ExitCode.PostgresUnreachable, ExitCode.RedisUnreachable, ExitCode.ClusterDowned, ExitCode.ClusterSeeds, ExitCode.Internal];

    static readonly ILookup<string, string> unit = Repository.Read("deploy/systemd/actorsync.service").Split('\n')
        .Where(l => l.Length > 0 && l[0] is not ('#' or '[')).Select(l => l.Split('=', 2)).ToLookup(l => l[0], l => l[1]);

    static string Setting(string name) => unit[name].ShouldHaveSingleItem();

    [Fact]
    public void Unit_should_start_a_node_again_unless_somebody_has_to_mend_the_cause()
    {
        Setting("Restart").ShouldBe("on-failure");
        Setting("RestartPreventExitStatus").Split(' ').Select(int.Parse)
            .ShouldBe(Enum.GetValues<ExitCode>().Except(worthAnotherStart).Select(c => (int)c));
    }

    [Fact]
    public void Unit_should_leave_time_for_a_graceful_stop() =>
        TimeSpan.FromSeconds(int.Parse(Setting("TimeoutStopSec").TrimEnd('s'))).ShouldBeGreaterThan(new SyncConfig().ShutdownTimeout);

    [Fact]
    public void Unit_should_run_as_the_user_that_sysusers_makes()
    {
        Repository.Read("deploy/systemd/actorsync.sysusers").ShouldContain($"\nu {Setting("User")} ");
        Repository.Read("deploy/systemd/actorsync.tmpfiles").ShouldContain($"\nd /etc/actorsync 0750 root {Setting("Group")} ");
    }
}

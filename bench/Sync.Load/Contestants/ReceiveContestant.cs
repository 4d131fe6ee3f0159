using System.Diagnostics;
using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <summary>PostgreSQL's own client, which throws away what it receives: how fast the walsender can send.</summary>
sealed class ReceiveContestant : Contestant
{
    public override string Name => "pg_recvlogical";

    public override bool EndsByItself => true;

    public override ContentCheck Check(Workload workload) => ContentCheck.None;

    public override ProcessStartInfo Start(Drain drain) => CommandLine(
        Path.Combine(drain.Stage.PostgresPrograms, "pg_recvlogical"), "-h", "127.0.0.1", "-p", $"{drain.Stage.Postgres.Port}", "-U", "postgres", "-d", "postgres",
        "--start", "--slot", drain.Slot, "-o", "proto_version=1", "-o", $"publication_names={drain.Workload.Publication}",
        "--file", "/dev/null", "--fsync-interval", "0", "--no-loop", "--endpos", drain.Backlog.End);
}

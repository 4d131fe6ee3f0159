using System.Diagnostics;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;
using Sync.Node.Tests.Commands;

namespace Sync.Node.Tests.Cluster;

/// <summary>What operators do with a cluster, on real processes, with the commands they have.</summary>
[Collection(ClusterCommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class OperatorTests(CommandServers servers)
{
    async Task<Workplace> PlaceAsync()
    {
        await servers.Redis.ExecAsync("FLUSHALL");
        return (await Workplace.CreateAsync(servers, "create table orders (id int primary key, note text); create table logs (id int primary key)")).Configure("""
            - orders: { commands: [[SET, 'orders:{id}', '{note}']] }
            - logs: { commands: [[RPUSH, list, '{id}']] }
            """);
    }

    /// <summary>Waits until Redis holds something.</summary>
    async Task ArrivesAsync(string key, string value)
    {
        var watch = Stopwatch.StartNew();
        while (!Equals(await servers.Redis.ExecAsync("GET", key), value))
        {
            watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(60), $"{key} should be {value}");
            await Task.Delay(20);
        }
    }

    [Fact]
    public async Task Members_should_be_shown_leave_and_be_taken_out_while_changes_go_on()
    {
        using var place = await PlaceAsync();
        using var cluster = await NodeCluster.StartAsync(place, 3);
        await place.SqlAsync("insert into orders select i, 'a' from generate_series(1, 300) i");
        await ArrivesAsync("orders:300", "a");
        // Those may have been copied, and rows of a copy have no position.
        await place.SqlAsync("update orders set note = 'A'");
        await ArrivesAsync("orders:300", "A");

        var first = cluster.Nodes[0];
        var view = await cluster.UntilAsync(first, v => v.LanesKnown && v.Members.All(m => m.Lanes.Count > 0) && v.Members.Sum(m => m.Lanes.Count) == 32, "each should have lanes, and all together all");
        var status = await cluster.AskAsync(first, "cluster", "status");
        status.Code.ShouldBe(0, status.Error);
        foreach (var node in cluster.Nodes) status.Out.ShouldContain($"\n{node.Address}\tUp\treader,writer\t");
        LanesView lanes;
        var watch = Stopwatch.StartNew();
        do lanes = JsonSerializer.Deserialize<LanesView>((await cluster.AskAsync(first, "cluster", "lanes", "--json")).Out, HttpJson.Lenient)!;
        while (lanes.Lanes.Any(l => l.Claim == 0) && watch.Elapsed < TimeSpan.FromSeconds(60));
        lanes.Lanes.Select(l => l.Lane).ShouldBe(Enumerable.Range(0, 32));
        lanes.Lanes.ShouldAllBe(l => l.Claim > 0 && (l.Epoch == 0 || l.Epoch == view.ReaderEpoch));
        lanes.Lanes.ShouldContain(l => l.Position != "");
        (await cluster.AskAsync(first, "cluster", "leave", "127.0.0.1:1")).ShouldSay(ExitCode.Usage, "'127.0.0.1:1' is no member", first.Address);
        foreach (var node in cluster.Nodes)
        {
            node.Process.Out.ShouldContain("Petabridge.Cmd is not part of this program (build with -p:PetabridgeCmd=true), so pbm finds no host at port ");
            node.Process.Out.ShouldNotContain("failed to find an associated singleton", Case.Insensitive, "Akka.NET warns of it at every start, though nothing is missing");
        }

        // One that hangs is taken out; when it can be heard again it finds itself in the smaller part, and ends.
        var hanging = cluster.Nodes.First(n => n.Address != view.Control && n.Address != view.Reader);
        var other = cluster.Nodes.First(n => n != hanging);
        hanging.Pause();
        var down = await cluster.AskAsync(other, "cluster", "down", hanging.Address);
        down.ShouldBe(new Ended(0, $"{hanging.Address} is taken out.\n", ""));
        view = await cluster.UntilAsync(other, v => v.Members.Count == 2 && v.LanesKnown && v.Members.Sum(m => m.Lanes.Count) == 32, "two should have all lanes");
        hanging.Resume();
        (await hanging.Process.EndAsync()).Code.ShouldBe((int)ExitCode.ClusterDowned, hanging.Process.Out);

        // The reader leaves, asked through another node, and drains what it has; whatever it was about to write is written by somebody, once.
        var leaving = cluster.Of(view.Reader);
        other = cluster.Nodes.First(n => n != leaving && n != hanging);
        var left = await cluster.AskAsync(other, "cluster", "leave", leaving.Address);
        left.ShouldBe(new Ended(0, $"{leaving.Address} is asked to leave.\n", ""));
        await place.SqlAsync("update orders set note = 'b'; insert into orders select i, 'b' from generate_series(301, 600) i");
        (await leaving.Process.EndAsync()).Code.ShouldBe(0, leaving.Process.Out);
        await ArrivesAsync("orders:600", "b");
        view = await cluster.UntilAsync(other, v => v.Members.Count == 1 && v.Reader == other.Address && v.LanesKnown && v.Commands is not null && v.Members[0].Lanes.Count == 32, "one should have all lanes");
        view.Commands.ShouldNotBeNull()[0].ShouldSatisfyAllConditions(c => c.Command.ShouldBe("leave"), c => c.Argument.ShouldBe(leaving.Address), c => c.Stage.ShouldBe("done"));

        await place.SqlAsync("update orders set note = 'c'");
        await ArrivesAsync("orders:1", "c");
        var verified = await cluster.AskAsync(other, "verify");
        verified.Code.ShouldBe(0, verified.Out + verified.Error);
    }

    [Fact]
    public async Task Dead_letters_should_be_decided_through_the_control_actor_which_may_be_away_while_changes_go_on()
    {
        using var place = await PlaceAsync();
        using var cluster = await NodeCluster.StartAsync(place, 2);
        await cluster.StreamsAsync();
        var first = cluster.Nodes[0];
        await servers.Redis.ExecAsync("SET", "list", "in the way");
        await place.SqlAsync("insert into logs values (11), (12), (13)");
        await cluster.UntilAsync(first, v => v.DeadLetters == 3, "three changes should be parked");
        (await cluster.AskAsync(first, "dlq", "retry", "--all")).ShouldSatisfyAllConditions(e => e.Code.ShouldBe((int)ExitCode.CheckFailed), e => e.Out.ShouldStartWith("0 applied, 3 keys refused again or not tried"));
        await servers.Redis.ExecAsync("DEL", "list");
        (await cluster.AskAsync(first, "dlq", "drop", "--key", "public.logs:13")).ShouldBe(new Ended(0, "1 dropped\n", ""));

        // What the control actor keeps can't be reached for a while.
        await place.SqlAsync("alter schema actorsync rename to hidden");
        (await cluster.AskAsync(first, "dlq", "retry", "--all")).ShouldSay(ExitCode.CheckFailed, "The control actor of the cluster did not answer");
        await place.SqlAsync("insert into orders values (4, 'a')");
        await ArrivesAsync("orders:4", "a");
        var status = await cluster.AskAsync(first, "cluster", "status");
        status.Code.ShouldBe(0, status.Error);
        status.Out.ShouldContain("which does not answer");
        await place.SqlAsync("alter schema hidden rename to actorsync");

        var view = await cluster.UntilAsync(first, v => v.Commands is not null, "the control actor should be back");
        view.Commands!.Select(c => (c.Command, c.Argument, c.Stage)).ShouldBe([("dlq-drop", "public.logs:13", "done"), ("dlq-retry", "", "failed")]);
        (await cluster.AskAsync(first, "dlq", "retry", "--all")).ShouldBe(new Ended(0, "2 applied, 0 keys failed again\n", ""));
        await cluster.UntilAsync(first, v => v.DeadLetters == 0 && v.ParkedKeys == 0, "no change should be parked any more");
        (await servers.Redis.ExecAsync("LRANGE", "list", "0", "-1")).ShouldBeAssignableTo<object?[]>()!.Length.ShouldBe(2);
    }
}

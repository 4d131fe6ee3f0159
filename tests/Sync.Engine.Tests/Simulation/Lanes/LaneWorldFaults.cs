namespace Sync.Engine.Tests.Simulation.Lanes;

/// <summary>What goes wrong.</summary>
sealed partial class LaneWorld
{
    void Happen(LaneFault fault)
    {
        Trace($"FAULT {fault.Kind} {fault.Argument}");
        int number = fault.Argument % nodes.Count, lane = fault.Argument % LaneScenario.Lanes;
        var node = nodes[number];
        switch (fault.Kind)
        {
            case LaneFaultKind.CrashNode:
                foreach (var writer in node.Writers) writer.Leave();
                nodes[number] = new LaneNode(this, ++started);
                Rehome(number);
                break;
            case LaneFaultKind.FreezeNode:
                if (nodes.Count(n => !n.IsFrozen) < 2) break;
                node.IsFrozen = true;
                Rehome(number);
                break;
            case LaneFaultKind.ThawNodes:
                foreach (var frozen in nodes) frozen.IsFrozen = false;
                break;
            case LaneFaultKind.RestartLane:
                nodes[home[lane]].Find(lane)?.End("crashes");
                break;
            case LaneFaultKind.HandOff:
                nodes[home[lane]].Find(lane)?.Drain();
                home[lane] = Unfrozen();
                break;
            case LaneFaultKind.HandOffTimeOver:
                foreach (var late in nodes.Where(n => !n.IsFrozen).SelectMany(n => n.Lanes).Where(l => l.IsDraining).ToArray()) late.End("has no time to drain");
                break;
            case LaneFaultKind.DoubleOwner:
                home[lane] = Unfrozen();
                break;
            case LaneFaultKind.StaleRoutes:
                misroutes = true;
                break;
            case LaneFaultKind.Calm:
                (misroutes, loss) = (false, 0);
                break;
            case LaneFaultKind.Lose:
                loss = 5 * fault.Argument;
                break;
            case LaneFaultKind.LessCredit:
                Credit = fault.Argument * Scenario.Credit / 12;
                break;
            case LaneFaultKind.CrashReader:
                Active.Leave("crashes");
                readers.Add(new SimulatedReader(this));
                break;
            case LaneFaultKind.ReplaceReader:
                if (readers.Count < 3) readers.Add(new SimulatedReader(this));
                break;
            case LaneFaultKind.Refuse:
                refusals = fault.Argument;
                break;
            default:
                var cut = node.Writers[fault.Argument % node.Writers.Length];
                while (fault.Kind == LaneFaultKind.CutConnectionAfterRun && cut.Unrun is { } request) RunRequest(request);
                cut.Cut();
                break;
        }
    }

    void Rehome(int from)
    {
        for (int lane = 0; lane < home.Length; lane++)
            if (home[lane] == from) home[lane] = Unfrozen();
    }

    int Unfrozen()
    {
        int number = Random.Next(nodes.Count);
        while (nodes[number].IsFrozen) number = (number + 1) % nodes.Count;
        return number;
    }
}

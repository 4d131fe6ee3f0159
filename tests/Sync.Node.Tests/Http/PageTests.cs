using Microsoft.Playwright;

namespace Sync.Node.Tests.Http;

/// <summary>The page at <c>/</c> in a real browser.</summary>
public sealed class PageTests : IAsyncLifetime
{
    readonly FakeClusterNode node = new();
    RunningServer server = null!;
    IPlaywright playwright = null!;
    IBrowser browser = null!;

    public async Task InitializeAsync()
    {
        server = await RunningServer.StartAsync(node: node);
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = "/usr/bin/chromium",
            Args = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    public async Task DisposeAsync()
    {
        await browser.DisposeAsync();
        playwright.Dispose();
        await server.DisposeAsync();
    }

    static async Task<string[]> RowsAsync(IPage page, string table) =>
        [.. (await page.Locator($"#{table} tbody tr").AllInnerTextsAsync()).Select(row => row.Replace('\t', '|').Replace("\n", "", StringComparison.Ordinal))];

    [Fact]
    public async Task Cluster_should_be_shown_and_follow_what_happens_without_anybody_touching_the_page()
    {
        var page = await browser.NewPageAsync();
        var complaints = new List<string>();
        page.Console += (_, message) => complaints.Add(message.Text);
        await page.GotoAsync($"{server.Url}");
        (await page.TitleAsync()).ShouldBe("ActorSync");
        (await RowsAsync(page, "members")).ShouldBe(["node1:7719|Up|reader, writer|4 █|12|3.5 ms", "node2:7719|Leaving, unreachable|reader, reads|0|0|0.0 ms"]);
        (await RowsAsync(page, "commands")).ShouldBe(["leave|node2:7719|done|node2:7719 is asked to leave."]);
        (await page.Locator("#silent").InnerTextAsync()).ShouldBe("3 lanes did not answer; they may be moving.");

        node.View = node.View with { Members = [node.View.Members[0] with { Reads = true, Lanes = [.. Enumerable.Range(0, 256)], RowsWaiting = 0, LagMs = 0 }], SilentLanes = [] };
        await page.Locator("#members tbody tr").Nth(1).WaitForAsync(new() { State = WaitForSelectorState.Detached, Timeout = 30_000 });
        (await RowsAsync(page, "members")).ShouldBe([$"node1:7719|Up|reader, writer, reads|256 {new string('█', 20)}|0|0.0 ms"]);
        (await page.Locator("#silent").CountAsync()).ShouldBe(0);
        complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task Links_should_lead_somewhere_and_names_be_shown_as_they_are()
    {
        node.View = node.View with { Name = "<b>&\"" };
        var page = await browser.NewPageAsync();
        await page.GotoAsync($"{server.Url}");
        (await page.Locator("#cluster h2").InnerTextAsync()).ShouldBe("Cluster <b>&\"");
        await page.GetByText("/api/cluster", new() { Exact = true }).ClickAsync();
        page.Url.ShouldEndWith("/api/cluster");
        (await page.Locator("body").InnerTextAsync()).ShouldContain("\"members\":[");
    }

    [Fact]
    public async Task Node_that_works_alone_should_show_no_cluster()
    {
        await using var alone = await RunningServer.StartAsync();
        var page = await browser.NewPageAsync();
        await page.GotoAsync($"{alone.Url}");
        (await page.Locator("p").First.InnerTextAsync()).ShouldBe("Slot shop: ready");
        (await page.Locator("#cluster").CountAsync()).ShouldBe(0);
        (await page.Locator("meta[http-equiv=refresh]").CountAsync()).ShouldBe(0);
    }
}

using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;

namespace Sync.Node.Tests.Http;

public sealed class DeadLetterEndpointTests : IAsyncLifetime
{
    RunningServer server = null!;

    public async Task InitializeAsync() => server = await RunningServer.StartAsync();

    public async Task DisposeAsync() => await server.DisposeAsync();

    [Fact]
    public async Task List_should_page_through_all_in_order()
    {
        for (int i = 1; i <= 5; i++) server.Node.Letters.Add(FakeNode.Letter(i));
        var seen = new List<string>();
        string? after = null;
        do
        {
            var page = await ListAsync($"?limit=2{(after is null ? "" : $"&after={after}")}");
            page.Entries.Count.ShouldBeInRange(1, 2);
            seen.AddRange(page.Entries.Select(e => e.Id));
            after = page.Next;
        }
        while (after is not null);
        seen.ShouldBe(server.Node.Letters.Select(l => l.Id!));
    }

    [Fact]
    public async Task List_should_leave_out_values_and_show_should_have_them()
    {
        server.Node.Letters.Add(FakeNode.Letter(1));
        var listed = (await ListAsync("")).Entries.ShouldHaveSingleItem();
        listed.Commands.ShouldBeNull();
        listed.Kind.ShouldBe("update");
        listed.Key.ShouldBe("public.orders:1");
        var (status, body) = await server.GetAsync($"/api/dlq/{listed.Id}");
        status.ShouldBe(200);
        JsonSerializer.Deserialize<DeadLetterView>(body, HttpJson.Options)!.Commands.ShouldBe("SET o:1 \"two\\r\\nline\"");
        (await server.GetAsync("/api/dlq/1-1")).Status.ShouldBe(404);
    }

    [Theory]
    [InlineData("?limit=0")]
    [InlineData("?limit=501")]
    [InlineData("?limit=many")]
    public async Task List_should_refuse_a_limit_out_of_range(string query) => (await server.GetAsync($"/api/dlq{query}")).Status.ShouldBe(400);

    [Theory]
    [InlineData("{}", "retry all")]
    [InlineData("""{"key":"public.orders:7"}""", "retry public.orders:7")]
    [InlineData("""{"key":"k\u00fcche:☕"}""", "retry küche:☕")]
    public async Task Retry_should_reach_the_node(string body, string asked)
    {
        var (status, reply) = await server.PostAsync("/api/dlq/retry", body);
        status.ShouldBe(200, reply);
        JsonSerializer.Deserialize<RetryReply>(reply, HttpJson.Options).ShouldBe(new RetryReply(3, 1));
        server.Node.Asked.ShouldBe([asked]);
    }

    [Theory]
    [InlineData("""{"id":"1-0"}""", "drop id=1-0 key=")]
    [InlineData("""{"key":"a"}""", "drop id= key=a")]
    [InlineData("""{"all":true}""", "drop id= key=")]
    public async Task Drop_should_reach_the_node(string body, string asked)
    {
        (await server.PostAsync("/api/dlq/drop", body)).ShouldBe((200, """{"dropped":2}"""));
        server.Node.Asked.ShouldBe([asked]);
    }

    [Theory]
    [InlineData("retry", """{"kye":"a"}""")]
    [InlineData("retry", """{"key":""}""")]
    [InlineData("retry", "")]
    [InlineData("retry", "not json")]
    [InlineData("drop", "{}")]
    [InlineData("drop", """{"all":false}""")]
    [InlineData("drop", """{"id":"1-0","key":"a"}""")]
    [InlineData("drop", """{"key":"a","all":true}""")]
    public async Task Bodies_that_are_not_clear_should_do_nothing(string what, string body)
    {
        var (status, reply) = await server.PostAsync($"/api/dlq/{what}", body);
        status.ShouldBe(400, reply);
        JsonSerializer.Deserialize<ErrorReply>(reply, HttpJson.Options)!.Error.ShouldNotBeEmpty();
        server.Node.Asked.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(null, "application/json", 403)]
    [InlineData("yes", "application/json", 403)]
    [InlineData("1", "text/plain", 415)]
    [InlineData("1", "application/x-www-form-urlencoded", 415)]
    [InlineData("1", null, 415)]
    public async Task What_a_form_of_another_site_can_send_should_do_nothing(string? header, string? type, int expected)
    {
        (await server.PostAsync("/api/dlq/retry", "{}", header, type)).Status.ShouldBe(expected);
        server.Node.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Reading_should_not_be_a_way_to_change_something()
    {
        (await server.GetAsync("/api/dlq/drop")).Status.ShouldBe(404);
        server.Node.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Huge_body_should_be_refused()
    {
        (await server.PostAsync("/api/dlq/retry", $$"""{"key":"{{new string('x', 1_100_000)}}"}""")).Status.ShouldBe(413);
        server.Node.Asked.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(ExitCode.Usage, 409)]
    [InlineData(ExitCode.RedisUnreachable, 503)]
    public async Task Errors_of_the_node_should_come_with_their_sentence_and_code(ExitCode code, int expected)
    {
        server.Node.Failure = new SyncException(code, "This node is not the one that writes.");
        var (status, body) = await server.PostAsync("/api/dlq/retry", "{}");
        status.ShouldBe(expected);
        JsonSerializer.Deserialize<ErrorReply>(body, HttpJson.Options).ShouldBe(new ErrorReply("This node is not the one that writes.", (int)code));
    }

    [Fact]
    public async Task Defects_should_be_logged_and_not_shown()
    {
        server.Node.Failure = new InvalidOperationException("a detail for nobody");
        var (status, body) = await server.PostAsync("/api/dlq/drop", """{"all":true}""");
        status.ShouldBe(500);
        body.ShouldNotContain("detail");
        server.Log.ShouldContain("a detail for nobody");
    }

    async Task<DeadLetterPage> ListAsync(string query)
    {
        var (status, body) = await server.GetAsync($"/api/dlq{query}");
        status.ShouldBe(200, body);
        return JsonSerializer.Deserialize<DeadLetterPage>(body, HttpJson.Options)!;
    }
}

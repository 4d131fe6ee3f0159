using Sync.Contracts.Configuration;
using Sync.Node.Http;

namespace Sync.Node.Commands.DeadLetters;

/// <summary>The dead letters, through the node that runs or, when none does, straight in Redis.</summary>
interface IDeadLetterAccess : IDisposable
{
    Task<DeadLetterPage> ListAsync(string? after, int count, CancellationToken cancellationToken);

    /// <summary>Null when there is none with this id.</summary>
    Task<DeadLetterView?> GetAsync(string id, CancellationToken cancellationToken);

    /// <summary>Of one ordering key, or of all.</summary>
    Task<RetryReply> RetryAsync(string? key, bool force, CancellationToken cancellationToken);

    Task<DropReply> DropAsync(DropRequest request, CancellationToken cancellationToken);
}

static class DeadLetterAccess
{
    /// <summary>The node at the configured address is asked when it answers and works for the configured slot.</summary>
    public static async Task<IDeadLetterAccess> OpenAsync(Uri? given, Func<SyncConfig> load, TimeProvider time, CancellationToken cancellationToken)
    {
        if (given is not null) return new NodeDeadLetters(new NodeClient(given));
        var config = load();
        if (NodeClient.UrlOf(config.Http) is { } url)
        {
            var node = new NodeClient(url);
            if (await node.TryStatusAsync(cancellationToken) is { } status && status.Slot == config.Postgres.Repl.Slot) return new NodeDeadLetters(node);
            node.Dispose();
        }
        return new StoredDeadLetters(config, time);
    }
}

/// <summary>Through a node.</summary>
sealed class NodeDeadLetters(NodeClient node) : IDeadLetterAccess
{
    public Task<DeadLetterPage> ListAsync(string? after, int count, CancellationToken cancellationToken) =>
        node.GetAsync<DeadLetterPage>($"/api/dlq?limit={count}{(after is null ? "" : $"&after={Uri.EscapeDataString(after)}")}", cancellationToken);

    public Task<DeadLetterView?> GetAsync(string id, CancellationToken cancellationToken) =>
        node.FindAsync<DeadLetterView>($"/api/dlq/{Uri.EscapeDataString(id)}", cancellationToken);

    public Task<RetryReply> RetryAsync(string? key, bool force, CancellationToken cancellationToken) =>
        node.PostAsync<RetryReply>("/api/dlq/retry", new RetryRequest(key, force), cancellationToken);

    public Task<DropReply> DropAsync(DropRequest request, CancellationToken cancellationToken) =>
        node.PostAsync<DropReply>("/api/dlq/drop", request, cancellationToken);

    public void Dispose() => node.Dispose();
}

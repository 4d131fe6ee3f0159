using System.Text.Json;
using Npgsql;
using Shop;

namespace Sync.Node.Demo;

/// <summary>
/// One change of the shop and how to see it in Redis. <paramref name="Expected"/> is what <paramref name="Question"/> must
/// answer once it arrived; null means the key or field is gone.
/// </summary>
/// <param name="Kind">Groups the figures, such as "price".</param>
/// <param name="Title">What happens, for people.</param>
/// <param name="Sql">The statements; one transaction.</param>
/// <param name="Question">The Redis command that shows it.</param>
/// <param name="Expected">Its answer, after <paramref name="Member"/> was taken out.</param>
/// <param name="Member">Member of the JSON document that the answer is; null for a plain answer.</param>
sealed record ShopChange(string Kind, string Title, string Sql, string[] Question, string? Expected, string? Member = null)
{
    /// <summary>How the value looks on the PostgreSQL side of the display.</summary>
    public string Shown => Expected ?? "(gone)";

    public async Task CommitAsync(NpgsqlConnection postgres, CancellationToken ct)
    {
        await using var transaction = await postgres.BeginTransactionAsync(ct);
        await using var command = new NpgsqlCommand(Sql, postgres, transaction);
        await command.ExecuteNonQueryAsync(ct);
        await transaction.CommitAsync(ct);
    }

    public async Task<string?> AskAsync(RespClient redis, CancellationToken ct)
    {
        string? answer = (await redis.CommandAsync(ct, Question))?.ToString();
        if (answer is null || Member is null) return answer;
        using var document = JsonDocument.Parse(answer);
        if (!document.RootElement.TryGetProperty(Member, out var member)) return null;
        return member.ValueKind switch
        {
            JsonValueKind.String => member.GetString(),
            JsonValueKind.Null => "null",
            _ => member.GetRawText(),
        };
    }
}

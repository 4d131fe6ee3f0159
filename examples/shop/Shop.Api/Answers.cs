using System.Text.Json;

namespace Shop;

/// <summary>A request that can't be served; the message is for the client.</summary>
sealed class ShopException(int status, string message) : Exception(message)
{
    /// <summary>HTTP status, 400 to 599.</summary>
    public int Status { get; } = status;
}

static class Answers
{
    /// <summary>A document that is JSON already.</summary>
    public static IResult Json(string document, int status = 200) => Results.Text(document, "application/json; charset=utf-8", statusCode: status);

    public static IResult Error(int status, string message) => Json($"{{\"error\":{JsonSerializer.Serialize(message)}}}", status);
}

using System.Globalization;
using System.Text.Json;

namespace Shop;

/// <summary>What a PATCH may change; null leaves it alone.</summary>
sealed record ProductPatch(decimal? Price, string? Name, string? Category, bool? Discontinued);

sealed record OrderLine(int ProductId, int Quantity);

sealed record NewOrder(long CustomerId, string? Note, IReadOnlyList<OrderLine> Lines);

/// <summary>Turns what a client sent into something checked, or says in one sentence what is wrong with it.</summary>
static class Input
{
    const decimal MaxPrice = 99_999_999.99m;

    public static int Id(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id > 0 ? id : throw Bad("The id must be a whole number from 1 on.");

    public static int Limit(string? text) => text is null
        ? 20
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) && limit is >= 1 and <= 200 ? limit : throw Bad("limit must be a whole number from 1 to 200.");

    public static async Task<JsonElement> BodyAsync(HttpRequest request, CancellationToken ct)
    {
        try
        {
            using var document = await JsonDocument.ParseAsync(request.Body, cancellationToken: ct);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : throw Bad("The body must be a JSON object.");
        }
        catch (JsonException) { throw Bad("The body is not valid JSON."); }
    }

    public static ProductPatch ProductPatch(JsonElement body)
    {
        decimal? price = null;
        string? name = null, category = null;
        bool? discontinued = null;
        foreach (var member in body.EnumerateObject())
        {
            switch (member.Name)
            {
                case "price": price = Price(member.Value); break;
                case "name": name = Text(member, 200); break;
                case "category": category = Text(member, 60); break;
                case "discontinued":
                    discontinued = member.Value.ValueKind is JsonValueKind.True or JsonValueKind.False ? member.Value.GetBoolean() : throw Bad("discontinued must be true or false.");
                    break;
                default: throw Bad($"'{member.Name}' can't be changed; price, name, category and discontinued can.");
            }
        }
        if (price is null && name is null && category is null && discontinued is null) throw Bad("Nothing to change: give price, name, category or discontinued.");
        return new(price, name, category, discontinued);
    }

    public static NewOrder Order(JsonElement body)
    {
        long? customer = null;
        string? note = null;
        List<OrderLine>? lines = null;
        foreach (var member in body.EnumerateObject())
        {
            switch (member.Name)
            {
                case "customer_id": customer = Whole(member, long.MaxValue); break;
                case "note": note = member.Value.ValueKind == JsonValueKind.Null ? null : Text(member, 1000); break;
                case "items":
                    if (member.Value.ValueKind != JsonValueKind.Array || member.Value.GetArrayLength() is < 1 or > 50) throw Bad("items must be a list of 1 to 50 objects.");
                    lines = [.. member.Value.EnumerateArray().Select(Line)];
                    break;
                default: throw Bad($"An order has no '{member.Name}'; it has customer_id, items and note.");
            }
        }
        return new(customer ?? throw Bad("customer_id is missing."), note, lines ?? throw Bad("items is missing."));
    }

    static OrderLine Line(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object) throw Bad("Each of items must be an object with product_id and quantity.");
        long? product = null, quantity = null;
        foreach (var member in item.EnumerateObject())
        {
            switch (member.Name)
            {
                case "product_id": product = Whole(member, int.MaxValue); break;
                case "quantity": quantity = Whole(member, 1000); break;
                default: throw Bad($"An item has no '{member.Name}'; it has product_id and quantity.");
            }
        }
        return new((int)(product ?? throw Bad("An item lacks its product_id.")), (int)(quantity ?? throw Bad("An item lacks its quantity.")));
    }

    static decimal Price(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out decimal price) && price is > 0 and <= MaxPrice && decimal.Round(price, 2) == price
            ? price
            : throw Bad("price must be a number over 0 and up to 99999999.99 with at most two decimals.");

    static string Text(JsonProperty member, int longest)
    {
        string? text = null;
        try { text = member.Value.ValueKind == JsonValueKind.String ? member.Value.GetString()!.Trim() : null; }
        catch (InvalidOperationException) { /* half of a surrogate pair is no text */ }
        // PostgreSQL's text can't hold the character U+0000.
        return text is { Length: > 0 } && text.Length <= longest && !text.Contains('\0') ? text : throw Bad($"{member.Name} must be a text of 1 to {longest} characters.");
    }

    static long Whole(JsonProperty member, long largest) =>
        member.Value.ValueKind == JsonValueKind.Number && member.Value.TryGetInt64(out long number) && number >= 1 && number <= largest
            ? number
            : throw Bad(largest == long.MaxValue ? $"{member.Name} must be a whole number from 1 on." : $"{member.Name} must be a whole number from 1 to {largest}.");

    static ShopException Bad(string message) => new(400, message);
}

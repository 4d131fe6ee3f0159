namespace Sync.Contracts.Cluster.Wire;

/// <summary>The forms of what is compared, and of orders to the reader.</summary>
static class StateForms
{
    public static RowStateProto Write(RowState message) => new() { IsPoison = message.IsPoison, Keys = { message.Keys.Select(Write) } };

    public static RowState Read(RowStateProto form) => new(form.IsPoison, [.. form.Keys.Select(Read)]);

    public static ReaderOrderProto Write(ReaderOrder message) => new() { Request = message.Request, Verb = (int)message.Verb, Content = message.Content };

    public static ReaderOrder Read(ReaderOrderProto form) => new(form.Request, (ReaderVerb)form.Verb, form.Content);

    public static ReaderAnswerProto Write(ReaderAnswer message) => new() { Request = message.Request, Code = message.Code, Content = message.Content };

    public static ReaderAnswer Read(ReaderAnswerProto form) => new(form.Request, form.Code, form.Content);

    static KeyStateProto Write(KeyState key) => new()
    {
        Key = LaneForms.Wrap(key.Key),
        Content = key.Content,
        HasText = key.HasText,
        Text = LaneForms.Wrap(key.Text),
        IsVague = key.IsVague,
        Parts = { key.Parts.Select(part => new PartStateProto { Name = LaneForms.Wrap(part.Name), Value = LaneForms.Wrap(part.Value), Rule = part.Rule }) },
        IsOwn = key.IsOwn,
        IsWhole = key.IsWhole,
        LifeMs = key.LifeMs,
        MayHaveEnded = key.MayHaveEnded,
        IsShared = key.IsShared,
        ForeignParts = { key.ForeignParts },
    };

    static KeyState Read(KeyStateProto form) => new(
        form.Key.Memory, form.Content, form.HasText, form.Text.Memory, form.IsVague, [.. form.Parts.Select(part => new PartState(part.Name.Memory, part.Value.Memory, part.Rule))],
        form.IsOwn, form.IsWhole, form.LifeMs, form.MayHaveEnded, form.IsShared, [.. form.ForeignParts]);
}

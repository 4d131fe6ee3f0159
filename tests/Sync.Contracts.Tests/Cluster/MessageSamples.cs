using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;

namespace Sync.Contracts.Tests.Cluster;

/// <summary>Messages of every type, made of values that FsCheck draws for the parameters of their constructors.</summary>
static class MessageSamples
{
    static readonly Gen<string> texts = ArbMap.Default.GeneratorFor<string>().Select(text => Valid(text ?? ""));
    static readonly Gen<ulong> numbers = Gen.OneOf(ArbMap.Default.GeneratorFor<ulong>(), Gen.Elements(0UL, 1UL, 127UL, 128UL, ulong.MaxValue, 1UL << 63));
    static readonly ChangeKind[] kinds = Enum.GetValues<ChangeKind>();

    /// <summary>Every type of message there is.</summary>
    public static IEnumerable<Type> Types =>
        typeof(IClusterMessage).Assembly.GetTypes().Where(type => type.IsAssignableTo(typeof(IClusterMessage)) && !type.IsInterface).OrderBy(type => type.Name);

    public static Gen<object> Of(Type type)
    {
        if (type == typeof(string)) return Boxed(texts);
        if (type == typeof(bool)) return Boxed(ArbMap.Default.GeneratorFor<bool>());
        if (type == typeof(int)) return Boxed(numbers.Select(number => (int)(number & int.MaxValue)));
        if (type == typeof(long)) return Boxed(numbers.Select(number => (long)number));
        if (type == typeof(Position)) return Boxed(Positions());
        if (type == typeof(ReadOnlyMemory<byte>)) return Boxed(Bytes());
        if (type == typeof(LaneRows)) return Boxed(Gen.Choose(0, 40).SelectMany(count => Rows(count)));
        if (type == typeof(IReadOnlyList<string>)) return texts.ListOf().Select(list => (object)(IReadOnlyList<string>)[.. list]);
        if (type == typeof(IReadOnlyList<OperatorOutcome>)) return ListOf<OperatorOutcome>();
        if (type == typeof(IReadOnlyList<DeadLetterDecision>)) return ListOf<DeadLetterDecision>();
        if (type == typeof(IReadOnlyList<KeyState>)) return ListOf<KeyState>();
        if (type == typeof(IReadOnlyList<PartState>)) return ListOf<PartState>();
        if (type.IsEnum) return Gen.Elements(Enum.GetValues(type).Cast<object>());
        var constructor = type.GetConstructors().Single(c => c.GetParameters().Length > 0);
        return Gen.CollectToArray(constructor.GetParameters().Select(p => Of(p.ParameterType))).Select(constructor.Invoke);
    }

    static Gen<object> ListOf<T>() => Of(typeof(T)).ListOf().Select(list => (object)(IReadOnlyList<T>)[.. list.Cast<T>()]);

    public static Gen<LaneRows> Rows(int count) =>
        from keysOfOneLength in ArbMap.Default.GeneratorFor<bool>()
        from rows in Gen.ArrayOf(Row(keysOfOneLength), count)
        from poison in Gen.ArrayOf(Gen.Choose(0, 9), count)
        from text in texts
        select Joined(rows, [.. Enumerable.Range(0, count).Where(row => poison[row] == 0).Select(row => new LaneRowText(row, text))]) with
        {
            Identities = [.. Enumerable.Range(0, count).Where(row => poison[row] == 1).Select(row => new LaneRowText(row, text))],
        };

    static Gen<LaneRow> Row(bool keysOfOneLength) =>
        from position in Positions()
        from body in Gen.Choose(0, 300)
        from key in keysOfOneLength ? Gen.Constant(7) : Gen.Choose(0, 30)
        from commands in Gen.Choose(0, 3)
        from table in Gen.Choose(0, 2)
        from kind in Gen.Elements(kinds)
        from ticks in numbers
        select new LaneRow(position, body, key, commands, table, kind, (long)ticks);

    static Gen<Position> Positions() => from commit in numbers from step in numbers select new Position(new Lsn(commit), step);

    static Gen<ReadOnlyMemory<byte>> Bytes() => ArbMap.Default.GeneratorFor<byte[]>().Select(bytes => new ReadOnlyMemory<byte>(bytes ?? []));

    static Gen<object> Boxed<T>(Gen<T> values) => values.Select(value => (object)value!);

    public static LaneRows Joined(LaneRow[] rows, params LaneRowText[] errors)
    {
        byte[] body = new byte[rows.Sum(row => row.BodyLength)], keys = new byte[rows.Sum(row => row.KeyLength)];
        for (int i = 0; i < body.Length; i++) body[i] = (byte)(31 * i);
        for (int i = 0; i < keys.Length; i++) keys[i] = (byte)(17 * i);
        return new LaneRows(body, keys, rows, errors);
    }

    /// <summary>A half of a surrogate pair has no form in UTF-8.</summary>
    static string Valid(string text) => string.Concat(text.Where(c => !char.IsSurrogate(c)));
}

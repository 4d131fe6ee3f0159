using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Rows;
using Sync.Postgres.Snapshots;

namespace Sync.Postgres.Tests.Snapshots;

public class CopyTextReaderTests
{
    [Theory]
    [InlineData("a\tb\n", "a|b")]
    [InlineData("\t\n", "|")]
    [InlineData("\\N\t\\N\n", "NULL|NULL")]
    [InlineData("\\\\N\tx\\N\n", "\\N|xN")]
    [InlineData("\\N1\tN\n", "N1|N")]
    [InlineData("\\b\\f\\n\\r\\t\\v\\\\\tz\n", "\b\f\n\r\t\v\\|z")]
    [InlineData("\\101\\x41\\x4\\60\tq\n", "AA\u00040|q")]
    [InlineData("\\1012\\x412\t\\x\n", "A2A2|x")]
    [InlineData("\\.\t\\\\.\n", ".|\\.")]
    [InlineData("größe\t😀\n", "größe|😀")]
    public void Reader_should_undo_every_escape(string copy, string expected) => Read(copy, 2, int.MaxValue).ShouldBe([expected]);

    [Fact]
    public void Reader_should_give_the_same_rows_wherever_the_pieces_are_cut()
    {
        const string copy = "a\\tb\t\\N\nc\\\\\t\\x41d\n\t\n";
        string[] whole = Read(copy, 2, int.MaxValue);
        whole.ShouldBe(["a\tb|NULL", "c\\|Ad", "|"]);
        for (int piece = 1; piece < copy.Length; piece++) Read(copy, 2, piece).ShouldBe(whole, $"pieces of {piece} bytes");
    }

    [Theory]
    [InlineData("a\n")]
    [InlineData("a\tb\tc\n")]
    [InlineData("a\tb\\\n")]
    [InlineData("a\tb")]
    [InlineData("\n")]
    public void Reader_should_refuse_other_widths_and_cut_rows(string copy) =>
        Should.Throw<CopyTextException>(() => Read(copy, 2, int.MaxValue)).Message.ShouldEndWith(".");

    [Fact]
    public void Any_text_should_come_back_as_it_was() =>
        Prop.ForAll<string?[], PositiveInt>((values, piece) =>
        {
            if (values.Length == 0) return;
            // NUL can't be stored in PostgreSQL, and lone surrogates are no UTF-8.
            string?[] stored = [.. values.Select(v => v is null ? null : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(v.Replace("\0", ""))))];
            string copy = string.Join('\t', stored.Select(Escape)) + "\n";
            Read(copy, values.Length, piece.Get).ShouldBe([string.Join('|', stored.Select(v => v ?? "NULL"))]);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_row_larger_than_the_buffer_should_grow_it_and_shrink_it_again()
    {
        var reader = new CopyTextReader(1);
        string large = new('x', 3_000_000);
        Feed(reader, Encoding.UTF8.GetBytes(large + "\nsmall\n"), 50_000, row => row.Value(0).Length).ShouldBe([3_000_000, 5]);
        reader.GetMemory().Length.ShouldBeLessThanOrEqualTo(64 * 1024);
    }

    [Fact]
    public void Rows_should_allocate_nothing()
    {
        byte[] rows = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("12345\ta\\tb\t\\N\n", 1000)));
        var reader = new CopyTextReader(3);
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++) Run();
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);

        void Run()
        {
            for (int at = 0; at < rows.Length;)
            {
                var room = reader.GetMemory().Span;
                int piece = Math.Min(room.Length, rows.Length - at);
                rows.AsSpan(at, piece).CopyTo(room);
                reader.Advance(piece);
                at += piece;
                while (reader.TryReadRow())
                    if (reader.Row.Value(1).Length != 3) throw new InvalidOperationException();
            }
            reader.Complete();
        }
    }

    static string Escape(string? value) => value is null ? "\\N" : value
        .Replace("\\", "\\\\").Replace("\b", "\\b").Replace("\f", "\\f").Replace("\n", "\\n").Replace("\r", "\\r").Replace("\t", "\\t").Replace("\v", "\\v");

    static string[] Read(string copy, int columns, int piece) => [.. Feed(new CopyTextReader(columns), Encoding.UTF8.GetBytes(copy), piece, row =>
    {
        var shown = new List<string>();
        for (int i = 0; i < columns; i++) shown.Add(row.State(i) == CellState.Null ? "NULL" : Encoding.UTF8.GetString(row.Value(i)));
        return string.Join('|', shown);
    })];

    delegate T Show<T>(RowTuple row);

    static List<T> Feed<T>(CopyTextReader reader, byte[] bytes, int piece, Show<T> show)
    {
        var rows = new List<T>();
        for (int at = 0; at < bytes.Length;)
        {
            var room = reader.GetMemory().Span;
            int count = Math.Min(Math.Min(piece, room.Length), bytes.Length - at);
            bytes.AsSpan(at, count).CopyTo(room);
            reader.Advance(count);
            at += count;
            while (reader.TryReadRow()) rows.Add(show(reader.Row));
        }
        reader.Complete();
        return rows;
    }
}

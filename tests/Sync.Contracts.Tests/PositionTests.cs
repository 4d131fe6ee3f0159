using FsCheck;
using FsCheck.Fluent;

namespace Sync.Contracts.Tests;

public class PositionTests
{
    [Theory]
    [InlineData("16/B374D848", 0x16_B374D848UL)]
    [InlineData("0/0", 0UL)]
    [InlineData("FFFFFFFF/FFFFFFFF", ulong.MaxValue)]
    public void Lsn_should_read_and_write_PostgreSQLs_form(string text, ulong value)
    {
        Lsn.Parse(text).Value.ShouldBe(value);
        new Lsn(value).ToString().ShouldBe(text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("16")]
    [InlineData("/1")]
    [InlineData("1/G")]
    [InlineData("1/2/3")]
    public void Lsn_should_refuse_other_text(string text) => Should.Throw<FormatException>(() => Lsn.Parse(text));

    [Fact]
    public void Position_texts_should_sort_as_positions_do_and_read_back() =>
        Prop.ForAll<(ulong Lsn, ulong Step), (ulong Lsn, ulong Step)>((left, right) =>
        {
            var a = new Position(new Lsn(left.Lsn), left.Step);
            var b = new Position(new Lsn(right.Lsn), right.Step);
            Position.TryParse(a.ToString(), out var read).ShouldBeTrue();
            read.ShouldBe(a);
            Math.Sign(string.CompareOrdinal(a.ToString(), b.ToString())).ShouldBe(Math.Sign(a.CompareTo(b)));
        }).QuickCheckThrowOnFailure();
}

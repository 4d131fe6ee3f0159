using System.Text;

namespace Sync.Contracts.Tests;

public class LosslessTextTests
{
    [Fact]
    public void Any_bytes_should_come_back_from_their_text()
    {
        var random = new Random(13);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(12)];
            random.NextBytes(bytes);
            // Whole characters of all lengths between bytes that are none.
            if (i % 2 == 0) bytes = [.. bytes, .. Encoding.UTF8.GetBytes(char.ConvertFromUtf32(random.Next(0x10000, 0x110000)) + "ä日"), .. bytes];
            LosslessText.GetBytes(LosslessText.GetString(bytes)).ShouldBe(bytes);
        }
    }

    [Fact]
    public void Different_bytes_should_have_different_texts() =>
        Enumerable.Range(0, 256).Select(b => LosslessText.GetString([(byte)'a', (byte)b])).Distinct().Count().ShouldBe(256);

    [Theory]
    [InlineData("plain")]
    [InlineData("ä日😀")]
    [InlineData("")]
    public void Text_should_be_what_UTF_8_says(string text)
    {
        LosslessText.GetString(Encoding.UTF8.GetBytes(text)).ShouldBe(text);
        LosslessText.GetBytes(text).ShouldBe(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>The bytes ED B2 80 spell the surrogate by which a byte is shown; they are no UTF-8 themselves.</summary>
    [Fact]
    public void Bytes_of_a_surrogate_should_not_pass_for_one() => LosslessText.GetString([0xED, 0xB2, 0x80]).ShouldBe("\uDCED\uDCB2\uDC80");
}

using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Mapping;

public class JsonTests
{
    static string Json(string type, string? value, NumericMode mode = NumericMode.Float) =>
        Compile(Table(["SET", "k{id}", "{json:v}"]), Relation($"id v/{type}"), new MappingOptions(mode)).Insert("1", value).Commands[0]["SET|k1|{\"v\":".Length..^1];

    [Theory]
    [InlineData("Boolean", "t", "true")]
    [InlineData("Integer", "-9223372036854775808", "-9223372036854775808")]
    [InlineData("Numeric", "123456789012345678901234567890.123", "123456789012345678901234567890.123")]
    [InlineData("Numeric", "NaN", "\"NaN\"")]
    [InlineData("Float", "-Infinity", "\"-Infinity\"")]
    [InlineData("Float", "1e+20", "1e+20")]
    [InlineData("Json", "{\"a\": [1, null]}", "{\"a\": [1, null]}")]
    [InlineData("Bytea", "\\x00ff10", "\"AP8Q\"")]
    [InlineData("Bytea", "\\x", "\"\"")]
    [InlineData("Date", "2026-01-02", "\"2026-01-02\"")]
    [InlineData("Timestamp", "2026-01-02 03:04:05.000001", "\"2026-01-02T03:04:05.000001\"")]
    [InlineData("TimestampTz", "2026-01-02 03:04:05.123456+00", "\"2026-01-02T03:04:05.123456Z\"")]
    [InlineData("TimestampTz", "2026-01-02 03:04:05.12+00", "\"2026-01-02T03:04:05.120000Z\"")]
    [InlineData("TimestampTz", "infinity", "\"infinity\"")]
    [InlineData("TimestampTz", "0044-03-15 00:00:00+00 BC", "\"0044-03-15 00:00:00+00 BC\"")]
    [InlineData("Interval", "1 year 2 mons -3 days +04:05:06.789", "\"P1Y2M-3DT4H5M6.789S\"")]
    [InlineData("Interval", "00:00:00", "\"PT0S\"")]
    [InlineData("Interval", "-00:00:00.5", "\"PT-0.5S\"")]
    [InlineData("Interval", "10 days", "\"P10D\"")]
    [InlineData("Text", "a\"b\\c\r\n\u0001é", "\"a\\\"b\\\\c\\r\\n\\u0001é\"")]
    [InlineData("Text", "", "\"\"")]
    [InlineData("Text[]", "{a,NULL,\"NULL\",\"x,\\\"y\\\\\",\"\"}", "[\"a\",null,\"NULL\",\"x,\\\"y\\\\\",\"\"]")]
    [InlineData("Integer[]", "{{1,2},{3,4}}", "[[1,2],[3,4]]")]
    [InlineData("Integer[]", "[0:1]={1,2}", "[1,2]")]
    [InlineData("Boolean[]", "{t,f}", "[true,false]")]
    [InlineData("Integer[]", "{}", "[]")]
    [InlineData("TimestampTz[]", "{\"2026-01-02 03:04:05+00\"}", "[\"2026-01-02T03:04:05.000000Z\"]")]
    [InlineData("Json[]", "{\"{\\\"a\\\": 1}\"}", "[{\"a\": 1}]")]
    [InlineData("Integer[]", "{1,2", "\"{1,2\"")]
    public void Value_should_keep_everything_PostgreSQL_sent(string type, string text, string expected) => Json(type, text).ShouldBe(expected);

    [Fact]
    public void NULL_should_be_null() => Json("Text", null).ShouldBe("null");

    [Fact]
    public void String_mode_should_quote_numbers_but_not_integers()
    {
        Json("Numeric", "1.10", NumericMode.String).ShouldBe("\"1.10\"");
        Json("Integer", "7", NumericMode.String).ShouldBe("7");
    }

    [Fact]
    public void Any_text_should_read_back_from_JSON_as_itself() =>
        Prop.ForAll<NonNull<string>>(text =>
        {
            string clean = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.Get)).Replace("\u0001", "");
            JsonSerializer.Deserialize<string>(Json("Text", clean)).ShouldBe(clean);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_bytes_should_read_back_from_base64() =>
        Prop.ForAll<byte[]>(bytes => JsonSerializer.Deserialize<byte[]>(Json("Bytea", "\\x" + Convert.ToHexStringLower(bytes))).ShouldBe(bytes)).QuickCheckThrowOnFailure();

    [Fact]
    public void Subtraction_should_agree_with_decimal() =>
        Prop.ForAll<int, int>((a, b) =>
        {
            decimal x = a / 1000m, y = b / 7919m;
            string text = DecimalTextDifference(x, y);
            decimal.Parse(text, System.Globalization.CultureInfo.InvariantCulture).ShouldBe(x - y);
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("0.00", "0.00", "0.00")]
    [InlineData("1.5", "-1.25", "2.75")]
    [InlineData("0.05", "0.1", "-0.05")]
    [InlineData("7", "7.000", "0.000")]
    [InlineData("-3", "4", "-7")]
    [InlineData("100", "0.01", "99.99")]
    [InlineData("999999999999999999", "-0.999999999999999999", "999999999999999999.999999999999999999")]
    [InlineData("0.000000000000000001", "999999999999999999", "-999999999999999998.999999999999999999")]
    [InlineData("9999999999999999999.5", "0.25", "9999999999999999999.25")]
    [InlineData("9223372036854775807", "-1", "9223372036854775808")]
    [InlineData("1e3", "1", "999")]
    [InlineData("123456789012345678901234567890.1", "0.01", "123456789012345678901234567890.09")]
    public void Differences_should_keep_the_longer_scale(string now, string old, string difference) => DecimalTextDifference(now, old).ShouldBe(difference);

    static string DecimalTextDifference(decimal now, decimal old) => DecimalTextDifference(FormattableString.Invariant($"{now}"), FormattableString.Invariant($"{old}"));

    static string DecimalTextDifference(string now, string old) =>
        Compile(Table() with { Update = Rules(["INCRBYFLOAT", "n", "{diff:v}"]) }, Relation("id v/Numeric", identity: Contracts.Rows.ReplicaIdentity.Full))
            .Update(["1", old], "1", now).Commands[0].Split('|')[2];
}

using FsCheck;
using FsCheck.Fluent;
using Sync.Engine.DeadLetters;
using Sync.Engine.Resp;

namespace Sync.Engine.Tests.DeadLetters;

public class CommandTextTests
{
    [Fact]
    public void Text_should_show_commands_on_one_line() =>
        CommandText.Describe(Resp(["HSET", "orders:7", "note", "two\r\nlines", "empty", ""], ["DEL", "a b", "say \"hi\""]))
            .ShouldBe("HSET orders:7 note \"two\\r\\nlines\" empty \"\" | DEL \"a b\" \"say \\\"hi\\\"\"");

    [Fact]
    public void Text_should_shorten_long_and_binary_values()
    {
        CommandText.Describe(Resp(["SET", "k", new string('x', 1000)]), maxValueChars: 10).ShouldBe("SET k xxxxxxxxxx…(1,000 bytes)");
        CommandText.Describe(Resp(["SET", "k", new string('ü', 1000)]), maxValueChars: 10).ShouldBe("SET k üüüüüüüüüü…(2,000 bytes)");
        var writer = new RespWriter();
        writer.ArrayHeader(2);
        writer.Bulk("SET"u8);
        writer.Bulk([0xFF, 0xD8, 1, 2, 3, 4, 5, 6, 7, 8]);
        CommandText.Describe(writer.Written).ShouldBe("SET (binary, 10 bytes, ffd8010203040506…)");
        CommandText.Describe(Resp(["DEL", .. Enumerable.Range(0, 100).Select(i => $"{i}")])).ShouldEndWith("62 … (37 more)");
        CommandText.Describe(Resp([.. Enumerable.Repeat(new[] { "SET", "key", "value" }, 1000)]), maxChars: 100).Length.ShouldBe(101);
    }

    [Fact]
    public void Text_should_not_let_values_act_on_the_terminal() =>
        CommandText.Describe(Resp(["SET", "\u001b[31mred", "\u202eright to left"])).ShouldBe("SET \"\\u001b[31mred\" \"\\u202eright to left\"");

    [Fact]
    public void Text_should_survive_what_is_no_command()
    {
        CommandText.Describe("garbage"u8).ShouldContain("unreadable");
        CommandText.Describe("*2\r\n$3\r\nSET\r\n$9\r\nab\r\n"u8).ShouldStartWith("SET");
        CommandText.Describe(default).ShouldBe("");
    }

    [Fact]
    public void Text_should_hold_its_bounds_on_any_bytes() =>
        Prop.ForAll<byte[][]>(values =>
        {
            var writer = new RespWriter();
            writer.ArrayHeader(values.Length);
            foreach (byte[] value in values) writer.Bulk(value ?? []);
            string text = CommandText.Describe(writer.Written, maxValueChars: 8, maxChars: 100);
            text.Length.ShouldBeLessThanOrEqualTo(101);
            text.ShouldNotContain(c => char.IsControl(c));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Reader_should_give_back_what_was_written() =>
        Prop.ForAll<byte[][][]>(commands =>
        {
            var writer = new RespWriter();
            foreach (byte[][] command in commands)
            {
                writer.ArrayHeader(command.Length);
                foreach (byte[] argument in command) writer.Bulk(argument ?? []);
            }
            CommandReader.Count(writer.Written).ShouldBe(commands.Length);
            var reader = new CommandReader(writer.Written);
            foreach (byte[][] command in commands)
            {
                reader.TryReadCommand(out int arguments).ShouldBeTrue();
                arguments.ShouldBe(command.Length);
                foreach (byte[] argument in command) reader.ReadArgument().ToArray().ShouldBe(argument ?? []);
            }
            reader.TryReadCommand(out _).ShouldBeFalse();
            CommandReader.Pick(writer.Written, _ => true).ShouldBe(writer.Written.ToArray());
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Reader_should_refuse_any_other_bytes_and_never_run_away() =>
        Prop.ForAll<byte[]>(bytes =>
        {
            try { CommandReader.Count(bytes ?? []).ShouldBe(0); }
            catch (FormatException) { (bytes ?? []).ShouldNotBeEmpty(); }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Pick_should_keep_the_commands_asked_for()
    {
        byte[] picked = CommandReader.Pick(Resp(["A", "1"], ["B"], ["C", "3"]), index => index != 1);
        picked.ShouldBe(Resp(["A", "1"], ["C", "3"]));
    }

    [Fact]
    public void Keys_should_be_found_by_content()
    {
        var set = new HashSet<byte[]>(KeyBytesComparer.Instance) { "orders:7"u8.ToArray() };
        set.GetAlternateLookup<ReadOnlySpan<byte>>().Contains("orders:7"u8).ShouldBeTrue();
        set.GetAlternateLookup<ReadOnlySpan<byte>>().Contains("orders:8"u8).ShouldBeFalse();
        set.Contains("orders:7"u8.ToArray()).ShouldBeTrue();
    }

    static byte[] Resp(params string[][] commands)
    {
        var writer = new RespWriter();
        foreach (string[] command in commands)
        {
            writer.ArrayHeader(command.Length);
            foreach (string argument in command) writer.Bulk(argument);
        }
        return writer.Written.ToArray();
    }
}

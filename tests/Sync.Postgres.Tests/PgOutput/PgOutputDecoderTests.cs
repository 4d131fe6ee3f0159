using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Tests.PgOutput;

public class PgOutputDecoderTests
{
    readonly PgOutputDecoder decoder = new();

    static readonly byte[] Orders = MessageBuilder.Relation(16400, "public", "orders", 'd', ("id", 20, true), ("note", 25, false), ("body", 25, false));

    [Fact]
    public void Begin_should_give_commit_LSN_time_and_xid()
    {
        decoder.Decode(MessageBuilder.Of('B').Int64(0x16_B374D848).Int64(1_000_001).Int32(-2).Build()).ShouldBe(PgOutputMessageKind.Begin);
        decoder.CommitLsn.ShouldBe(new Lsn(0x16_B374D848));
        decoder.CommitTimeUtc.ShouldBe(new DateTime(2000, 1, 1, 0, 0, 1, DateTimeKind.Utc).AddMicroseconds(1));
        decoder.CommitTimeUtc.Kind.ShouldBe(DateTimeKind.Utc);
        decoder.TransactionId.ShouldBe(uint.MaxValue - 1);
    }

    [Fact]
    public void Commit_should_give_both_LSNs()
    {
        decoder.Decode(MessageBuilder.Of('C').Byte(0).Int64(100).Int64(148).Int64(-1).Build()).ShouldBe(PgOutputMessageKind.Commit);
        decoder.CommitLsn.ShouldBe(new Lsn(100));
        decoder.EndLsn.ShouldBe(new Lsn(148));
        decoder.CommitTimeUtc.ShouldBe(new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddMicroseconds(-1));
    }

    [Fact]
    public void Relation_should_give_columns_with_their_key_flags()
    {
        decoder.Decode(Orders).ShouldBe(PgOutputMessageKind.Relation);
        var relation = decoder.Table!;
        (relation.Oid, relation.Schema, relation.Name, relation.Identity).ShouldBe((16400u, "public", "orders", ReplicaIdentity.Default));
        relation.Columns.ShouldBe([new("id", 20, true), new("note", 25, false), new("body", 25, false)]);
    }

    [Fact]
    public void Relation_should_write_out_the_empty_schema_name() =>
        Described(MessageBuilder.Relation(1, "", "t", 'f')).Schema.ShouldBe("pg_catalog");

    [Fact]
    public void Insert_should_tell_NULL_from_the_empty_text()
    {
        decoder.Decode(Orders);
        byte[] message = MessageBuilder.Of('I').Int32(16400).Tuple('N', "7", "", null).Build();
        decoder.Decode(message).ShouldBe(PgOutputMessageKind.Insert);
        Show(decoder.New(message), 3).ShouldBe(["7", "", "NULL"]);
        decoder.Old(message).IsPresent.ShouldBeFalse();
    }

    [Fact]
    public void Update_without_an_old_row_should_give_the_new_one_only()
    {
        decoder.Decode(Orders);
        byte[] message = MessageBuilder.Of('U').Int32(16400).Tuple('N', "7", "ü", MessageBuilder.Unchanged).Build();
        decoder.Decode(message).ShouldBe(PgOutputMessageKind.Update);
        Show(decoder.New(message), 3).ShouldBe(["7", "ü", "UNCHANGED"]);
        decoder.Old(message).IsPresent.ShouldBeFalse();
    }

    [Fact]
    public void Update_with_a_key_should_show_padding_as_missing()
    {
        decoder.Decode(Orders);
        byte[] message = MessageBuilder.Of('U').Int32(16400).Tuple('K', "7", null, null).Tuple('N', "8", "a", "b").Build();
        decoder.Decode(message);
        decoder.OldIsWhole.ShouldBeFalse();
        Show(decoder.Old(message), 3).ShouldBe(["7", "MISSING", "MISSING"]);
        Show(decoder.New(message), 3).ShouldBe(["8", "a", "b"]);
    }

    [Fact]
    public void Update_with_a_whole_old_row_should_keep_its_NULLs()
    {
        decoder.Decode(Orders);
        byte[] message = MessageBuilder.Of('U').Int32(16400).Tuple('O', "7", null, "old").Tuple('N', "7", "a", MessageBuilder.Unchanged).Build();
        decoder.Decode(message);
        decoder.OldIsWhole.ShouldBeTrue();
        Show(decoder.Old(message), 3).ShouldBe(["7", "NULL", "old"]);
    }

    [Fact]
    public void Delete_should_give_the_old_row_only()
    {
        decoder.Decode(Orders);
        byte[] message = MessageBuilder.Of('D').Int32(16400).Tuple('K', "7", null, null).Build();
        decoder.Decode(message).ShouldBe(PgOutputMessageKind.Delete);
        Show(decoder.Old(message), 3).ShouldBe(["7", "MISSING", "MISSING"]);
        decoder.New(message).IsPresent.ShouldBeFalse();
    }

    [Fact]
    public void Truncate_should_give_every_table_and_the_options()
    {
        decoder.Decode(MessageBuilder.Of('T').Int32(2).Byte(3).Int32(5).Int32(-1).Build()).ShouldBe(PgOutputMessageKind.Truncate);
        decoder.Truncated.ToArray().ShouldBe([5u, uint.MaxValue]);
        decoder.TruncateCascade.ShouldBeTrue();
        decoder.TruncateRestartIdentity.ShouldBeTrue();
    }

    [Fact]
    public void Truncate_of_more_tables_than_before_should_grow()
    {
        var message = MessageBuilder.Of('T').Int32(100).Byte(0);
        for (int i = 0; i < 100; i++) message.Int32(i);
        decoder.Decode(message.Build());
        decoder.Truncated.ToArray().ShouldBe(Enumerable.Range(0, 100).Select(i => (uint)i));
    }

    [Fact]
    public void Message_should_give_prefix_and_any_bytes()
    {
        byte[] message = MessageBuilder.Of('M').Byte(1).Int64(77).Text("audit").Int32(3).Bytes([0, 255, 10]).Build();
        decoder.Decode(message).ShouldBe(PgOutputMessageKind.Message);
        decoder.MessageIsTransactional.ShouldBeTrue();
        decoder.MessageLsn.ShouldBe(new Lsn(77));
        Encoding.UTF8.GetString(decoder.MessagePrefix(message)).ShouldBe("audit");
        decoder.MessageContent(message).ToArray().ShouldBe([0, 255, 10]);
    }

    [Fact]
    public void Origin_and_type_should_give_their_names()
    {
        decoder.Decode(MessageBuilder.Of('O').Int64(9).Text("upstream").Build()).ShouldBe(PgOutputMessageKind.Origin);
        (decoder.OriginLsn, decoder.OriginName).ShouldBe((new Lsn(9), "upstream"));
        decoder.Decode(MessageBuilder.Of('Y').Int32(16390).Text("public").Text("mood").Build()).ShouldBe(PgOutputMessageKind.Type);
        (decoder.TypeOid, decoder.TypeName).ShouldBe((16390u, "public.mood"));
    }

    [Fact]
    public void A_new_description_should_replace_the_old_one()
    {
        decoder.Decode(Orders);
        decoder.Decode(MessageBuilder.Relation(16400, "public", "orders", 'd', ("id", 20, true), ("extra", 25, false)));
        byte[] message = MessageBuilder.Of('I').Int32(16400).Tuple('N', "7", "x").Build();
        decoder.Decode(message);
        Show(decoder.New(message), 2).ShouldBe(["7", "x"]);
    }

    [Fact]
    public void Rows_should_allocate_nothing()
    {
        decoder.Decode(Orders);
        byte[] message = MessageBuilder.Of('U').Int32(16400).Tuple('K', "7", null, null).Tuple('N', "8", "a", MessageBuilder.Unchanged).Build();
        byte[] begin = MessageBuilder.Of('B').Int64(1).Int64(2).Int32(3).Build();
        Run(1000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(10_000);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);

        void Run(int rows)
        {
            for (int i = 0; i < rows; i++)
            {
                decoder.Decode(begin);
                decoder.Decode(message);
                if (decoder.New(message).Value(0)[0] != '8') throw new InvalidOperationException();
            }
        }
    }

    public static TheoryData<string, byte[]> Wrong => new()
    {
        { "unknown kind", [(byte)'?', 0, 0] },
        { "no bytes", [] },
        { "bytes behind the end", [.. MessageBuilder.Of('B').Int64(1).Int64(1).Int32(1).Build(), 0] },
        { "commit time out of range", MessageBuilder.Of('B').Int64(1).Int64(long.MaxValue).Int32(1).Build() },
        { "table not described", MessageBuilder.Of('I').Int32(99).Tuple('N', "1").Build() },
        { "too few columns", MessageBuilder.Of('I').Int32(16400).Tuple('N', "1").Build() },
        { "negative columns", MessageBuilder.Of('I').Int32(16400).Byte((byte)'N').Int16(-1).Build() },
        { "no new row", MessageBuilder.Of('I').Int32(16400).Tuple('K', "1", "2", "3").Build() },
        { "unknown old row", MessageBuilder.Of('D').Int32(16400).Tuple('N', "1", "2", "3").Build() },
        { "binary column", MessageBuilder.Of('I').Int32(16400).Byte((byte)'N').Int16(3).Byte((byte)'b').Int32(0).Byte((byte)'n').Byte((byte)'n').Build() },
        { "unknown column state", MessageBuilder.Of('I').Int32(16400).Byte((byte)'N').Int16(3).Byte((byte)'z').Byte((byte)'n').Byte((byte)'n').Build() },
        { "length beyond the end", MessageBuilder.Of('I').Int32(16400).Byte((byte)'N').Int16(3).Byte((byte)'t').Int32(int.MaxValue).Build() },
        { "negative length", MessageBuilder.Of('I').Int32(16400).Byte((byte)'N').Int16(3).Byte((byte)'t').Int32(-5).Build() },
        { "32,767 columns in a few bytes", MessageBuilder.Of('R').Int32(1).Text("a").Text("b").Byte((byte)'d').Int16(short.MaxValue).Build() },
        { "negative column count", MessageBuilder.Of('R').Int32(1).Text("a").Text("b").Byte((byte)'d').Int16(-1).Build() },
        { "unknown identity", MessageBuilder.Relation(1, "a", "b", 'x') },
        { "name without an end", MessageBuilder.Of('R').Int32(1).Byte(65).Byte(66).Build() },
        { "two billion truncated tables", MessageBuilder.Of('T').Int32(int.MaxValue).Byte(0).Build() },
        { "negative truncated tables", MessageBuilder.Of('T').Int32(-1).Byte(0).Build() },
        { "message longer than its bytes", MessageBuilder.Of('M').Byte(0).Int64(1).Text("p").Int32(9).Byte(1).Build() },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Wrong_bytes_should_be_refused_by_a_typed_error(string what, byte[] message)
    {
        decoder.Decode(Orders);
        Should.Throw<PgOutputException>(() => decoder.Decode(message), what).Message.ShouldEndWith(".");
    }

    [Fact]
    public void Every_message_cut_anywhere_should_be_refused()
    {
        foreach (byte[] whole in Samples.All)
            for (int length = 0; length < whole.Length; length++)
            {
                var fresh = Samples.Decoder();
                byte[] cut = whole[..length];
                Should.Throw<PgOutputException>(() => fresh.Decode(cut), $"{(char)whole[0]} cut to {length} of {whole.Length} bytes");
            }
    }

    DecodedRelation Described(byte[] message)
    {
        decoder.Decode(message).ShouldBe(PgOutputMessageKind.Relation);
        return decoder.Table!;
    }

    static string[] Show(RowTuple tuple, int columns)
    {
        string[] shown = new string[columns];
        for (int i = 0; i < columns; i++)
            shown[i] = tuple.State(i) == CellState.Text ? Encoding.UTF8.GetString(tuple.Value(i)) : tuple.State(i).ToString().ToUpperInvariant();
        return shown;
    }

    [Fact]
    public void Null_in_a_key_tuple_should_be_unknown_where_no_partition_sends_the_column()
    {
        decoder.Decode(MessageBuilder.Relation(16400, "public", "orders", 'f', ("id", 20, true), ("note", 25, true)));
        byte[] delete = MessageBuilder.Of('D').Int32(16400).Byte((byte)'K').Int16(2).Byte((byte)'t').Int32(1).Byte((byte)'7').Byte((byte)'n').Build();
        decoder.Decode(delete);
        decoder.Old(delete).State(1).ShouldBe(CellState.Null, "FULL flags every column");
        decoder.SetSentOld(16400, [true, false]);
        decoder.Decode(delete);
        decoder.Old(delete).State(0).ShouldBe(CellState.Text);
        decoder.Old(delete).State(1).ShouldBe(CellState.Missing);
    }
}

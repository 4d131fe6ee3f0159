using Sync.Engine.Mapping;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Mapping;

public class HashTagsTests
{
    [Theory]
    [InlineData(true, "SET o:{id} x")]
    [InlineData(true, "SET o:{id} x", "EXPIRE o:{id} 5")]
    [InlineData(false, "SET o:{id} x", "SADD all {id}")]
    [InlineData(true, "SET {{{id}}}:a x", "SADD {{{id}}}:b {id}", "DEL {{{old:id}}}:b")]
    [InlineData(false, "SET {{{id}}}:a x", "SET {{{status}}}:a x")]
    [InlineData(true, "SET {{{id}}}:a x", "PUBLISH news {id}")]
    [InlineData(false, "DEL a:{id} b:{id}")]
    [InlineData(false, "SET {{}}{id} x", "SET {{}}{id}:b x")]
    public void Rows_should_be_kept_together_by_one_key_or_one_tag(bool together, params string[] commands) =>
        HashTags.KeepRowsTogether(Table([.. commands.Select(c => c.Split(' '))])).ShouldBe(together);

    [Fact]
    public void Tags_should_be_sets_of_their_own() =>
        HashTags.KeepRowsTogether(Table(["SET", "o:{id}", "x"]) with { Tags = ["t:{id}"] }).ShouldBeFalse();

    [Fact]
    public void A_table_without_commands_should_have_one_key_for_each_row() => HashTags.KeepRowsTogether(Table()).ShouldBeTrue();
}

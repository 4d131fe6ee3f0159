using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Resp;

namespace Sync.Engine.DeadLetters;

public class RefusalProbeTests
{
    static Batch Flight(params string[] commands)
    {
        var batch = new Batch();
        for (int i = 0; i < commands.Length; i++)
        {
            var writer = new RespWriter();
            string[] words = commands[i].Split(' ');
            writer.ArrayHeader(words.Length);
            foreach (string word in words) writer.Bulk(word);
            batch.Add(i, new Position(new Lsn(9), (ulong)i), writer.Written, 1, "k"u8, 0, ChangeKind.Insert, 0);
        }
        return batch;
    }

    /// <summary>The indices of the commands that are judged refused when Redis holds <paramref name="holds"/>: key to type, or key to text, or key.field to text.</summary>
    static int[] Refused(Dictionary<string, string> holds, params string[] commands)
    {
        var probe = new RefusalProbe([Flight(commands)]);
        var answers = probe.Probes.Select(p =>
        {
            string key = Encoding.UTF8.GetString(p.Key), field = Encoding.UTF8.GetString(p.Field);
            string? value = holds.GetValueOrDefault(p.Kind == ProbeKind.Field ? $"{key}.{field}" : key);
            if (p.Kind == ProbeKind.Type) return new ProbeAnswer(value ?? "none", false);
            return new ProbeAnswer(value, value == "!");
        }).ToList();
        return [.. probe.Judge(answers).Select(f => f.Entry)];
    }

    [Fact]
    public void A_key_of_another_type_should_have_refused_the_command()
    {
        Refused(new() { ["a"] = "string", ["b"] = "hash" }, "HSET a f 1", "HSET b f 1", "RPUSH a x", "HSET c f 1", "ZADD b 1 m").ShouldBe([0, 2, 4]);
        Refused(new() { ["a"] = "hash" }, "hset a f 1", "hdel a f").ShouldBeEmpty();
    }

    [Fact]
    public void A_text_that_is_no_number_should_have_refused_the_addition()
    {
        Refused(new() { ["a"] = "12", ["b"] = "x", ["c"] = "1.5", ["d"] = "!" }, "INCRBY a 5", "INCRBY b 5", "INCR c", "INCRBYFLOAT c 1", "DECR d", "INCR none").ShouldBe([1, 2, 4]);
        Refused(new() { ["h.f"] = "x", ["h.g"] = "7", ["i.f"] = "!" }, "HINCRBY h f 1", "HINCRBY h g 1", "HINCRBY i f 1").ShouldBe([0, 2]);
    }

    [Fact]
    public void What_replaces_a_key_should_make_earlier_refusals_moot()
    {
        Refused(new() { ["a"] = "string" }, "HSET a f 1", "SET a x").ShouldBeEmpty();
        Refused(new() { ["a"] = "string" }, "HSET a f 1", "DEL b a", "SET a x", "HSET a f 2").ShouldBe([3]);
        Refused(new() { ["a"] = "string", ["b"] = "string" }, "HSET a f 1", "HSET b f 1", "MSET b 1").ShouldBe([0]);
    }

    [Fact]
    public void A_key_should_be_asked_for_once() =>
        new RefusalProbe([Flight("HSET a f 1", "HSET a g 1", "HDEL a f", "INCR n", "INCRBY n 2", "HINCRBY a f 1", "HINCRBY a f 2", "SET s 1", "PUBLISH a x")])
            .Probes.Select(p => p.Kind).ShouldBe([ProbeKind.Type, ProbeKind.Text, ProbeKind.Field]);
}

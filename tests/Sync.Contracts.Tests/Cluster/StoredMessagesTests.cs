using System.Runtime.CompilerServices;
using Sync.Contracts.Cluster.Wire;

namespace Sync.Contracts.Tests.Cluster;

/// <summary>
/// Nodes of different versions talk to each other, and a journal holds what older ones wrote. Each file holds a message as it was first stored: its bytes as
/// hexadecimal digits in the first line, then what they mean. The files are added to, never changed; a message may say more than its file, never less.
/// </summary>
public class StoredMessagesTests
{
    static string Folder([CallerFilePath] string path = "") => Path.Combine(Path.GetDirectoryName(path)!, "Stored");

    public static IEnumerable<object[]> MessageTypes => MessageSamples.Types.Select(type => new object[] { type });

    public static IEnumerable<object[]> Files => Directory.GetFiles(Folder(), "*.txt").Select(file => new object[] { Path.GetFileName(file) });

    [Theory]
    [MemberData(nameof(MessageTypes))]
    public void Every_message_should_have_a_stored_one(Type type)
    {
        object sample = FsCheck.Fluent.Gen.Sample(MessageSamples.Of(type), 30, 1).First();
        var (manifest, bytes) = ClusterWire.ToBytes(sample);
        string[] lines = [Convert.ToHexString(bytes), .. MessageText.LinesOf(sample)];
        File.Exists(Path.Combine(Folder(), $"{manifest}.txt")).ShouldBeTrue($"a file {manifest}.txt with this content is missing:\n{string.Join('\n', lines)}");
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_stored_message_should_mean_what_it_meant(string file)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Folder(), file));
        string manifest = Path.GetFileNameWithoutExtension(file).Split('-')[0];
        string[] read = MessageText.LinesOf(ClusterWire.FromBytes(manifest, Convert.FromHexString(lines[0])));
        lines[1..].ShouldBeSubsetOf(read);
        lines.Length.ShouldBeGreaterThan(2);
    }
}

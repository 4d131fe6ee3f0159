using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Keys;

namespace Sync.Contracts.Tests.Configuration;

/// <summary>Whatever a file or the environment holds, the loader answers with a configuration or with errors, never with another exception.</summary>
public class ConfigFuzzTests
{
    static readonly string[] Pieces =
    [
        "\n", "\n  ", "\n    ", "\n- ", "\t", ": ", "- ", "[", "]", "{", "}", ",", "\"", "'", "|", ">", "&a ", "*a", "!", "!!str ", "%", "@", "`", "#", "? ", "<<: ", "---\n", "...\n",
        "~", "null", "0", "-1", "1e9", "99999999999999999999", "\\", "\\u0000", "\0", "\uFEFF", "\uD83D\uDE00", "é", "\r", "{pairs:*}", "tables", "all", "not", "column", "command", "EX", "XADD", ".",
    ];

    static string Sample => File.ReadAllText(Given.RepositoryFile("tests/Sync.Contracts.Tests/Configuration/reference.yaml"));

    [Fact]
    public void Mutated_file_should_never_break_the_loader() =>
        Prop.ForAll<NonEmptyArray<(byte Kind, ushort Place, byte Piece)>>(edits => Load(Mutate(Sample, edits.Get)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(400));

    [Fact]
    public void Random_text_should_never_break_the_loader() =>
        Prop.ForAll<byte[]>(choices => Load(string.Concat((choices ?? []).Select(c => Pieces[c % Pieces.Length]))))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void Random_variables_should_never_break_the_loader() =>
        Prop.ForAll<(byte Name, byte[] Value)[]>(variables =>
        {
            var names = ConfigKeys.All.Select(k => k.Path.ToUpperInvariant().Replace("TABLES[]", "T_0").Replace("[]", "_0").Replace('.', '_')).ToList();
            var environment = new Dictionary<string, string>();
            foreach (var (name, value) in variables ?? [])
                environment["ACTORSYNC_" + names[name % names.Count]] = string.Concat((value ?? []).Select(c => Pieces[c % Pieces.Length]));
            Load(Sample, environment);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    static void Load(string yaml, Dictionary<string, string>? environment = null)
    {
        var result = ConfigLoader.TryLoad("config.yaml", environment ?? [], "/work", _ => yaml);
        (result.Config is null).ShouldBe(result.Errors.Count > 0);
        foreach (var issue in result.Errors)
        {
            issue.ToString().ShouldNotContain("\n");
            if (issue.Position.Source == "config.yaml") issue.Position.Line.ShouldBeGreaterThan(0);
        }
    }

    static string Mutate(string text, (byte Kind, ushort Place, byte Piece)[] edits)
    {
        var mutated = new StringBuilder(text);
        foreach (var (kind, place, piece) in edits)
        {
            if (mutated.Length == 0) break;
            int at = place * 7919 % mutated.Length;
            if (kind % 4 == 0) mutated.Remove(at, Math.Min(1 + piece % 9, mutated.Length - at));
            else if (kind % 4 == 1) mutated.Insert(at, Pieces[piece % Pieces.Length]);
            else if (kind % 4 == 2) mutated.Insert(at, text[..Math.Min(text.Length, piece)]);
            else mutated[at] = Pieces[piece % Pieces.Length][0];
        }
        return mutated.ToString();
    }
}

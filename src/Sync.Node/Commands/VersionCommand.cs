using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Sync.Node.Commands;

/// <summary><c>actorsync version</c></summary>
static class VersionCommand
{
    public static string Version { get; } =
        typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    public static Command Create(CommandSession session)
    {
        var command = new TaughtCommand("version", "Shows the version.", "actorsync version");
        command.SetAction(_ => session.Out.WriteLine($"actorsync {Version} ({RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier})"));
        return command;
    }
}

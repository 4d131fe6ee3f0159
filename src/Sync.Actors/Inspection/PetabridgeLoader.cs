using System.Reflection;
using Microsoft.Extensions.Logging;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Inspection;

/// <summary>
/// Finds the plug-in for Petabridge.Cmd beside the program. A program that was built with <c>-p:PetabridgeCmd=true</c> has it (docs/adr/0022-one-build.md). A node works
/// without it, so each reason why it is not used is one line in the log and no more.
/// </summary>
public static class PetabridgeLoader
{
    public const string AssemblyName = "Sync.Petabridge", TypeName = "Sync.Petabridge.PetabridgePlugin";

    /// <summary>The plug-in; null when it is switched off, is not there, or can't be loaded.</summary>
    public static IPetabridgePlugin? Load(PetabridgeOptions options, ILogger logger) => Load(options, logger, Path.Combine(AppContext.BaseDirectory, AssemblyName + ".dll"));

    internal static IPetabridgePlugin? Load(PetabridgeOptions options, ILogger logger, string path)
    {
        if (!options.Enabled) return null;
        if (!File.Exists(path))
        {
            logger.LogInformation("Petabridge.Cmd is not part of this program (build with -p:PetabridgeCmd=true), so pbm finds no host at port {Port}", options.Port);
            return null;
        }
        try
        {
            var assembly = Assembly.LoadFrom(path);
            // All types now: a package that is missing, or that has another version, shows here and not in the middle of the start.
            _ = assembly.GetTypes();
            return (IPetabridgePlugin)Activator.CreateInstance(assembly.GetType(TypeName, throwOnError: true)!)!;
        }
        catch (Exception e)
        {
            logger.LogWarning(
                "{Path} is there but can't be loaded, so pbm finds no host at port {Port}: {Cause} Build the program anew with -p:PetabridgeCmd=true, or set petabridge.enabled to false.",
                path, options.Port, Cause(e));
            return null;
        }
    }

    static string Cause(Exception exception)
    {
        var cause = exception is ReflectionTypeLoadException { LoaderExceptions: [{ } first, ..] } ? first : exception;
        return cause.Message.ReplaceLineEndings(" ").TrimEnd('.', ' ') + ".";
    }
}

using Microsoft.Extensions.Logging;
using Sync.Actors.Inspection;
using Sync.Contracts.Configuration;
using Sync.Testing;

namespace Sync.Actors.Tests.Inspection;

/// <summary>What a node says when it can't use the plug-in for Petabridge.Cmd. That it uses one which can be loaded: Sync.Petabridge.Tests.</summary>
public sealed class PetabridgeLoaderTests : IDisposable
{
    const string Remedy = " Build the program anew with -p:PetabridgeCmd=true, or set petabridge.enabled to false.";

    readonly Sandbox folder = new();
    readonly Lines log = new();
    readonly PetabridgeOptions options = new() { Port = 9111 };

    [Fact]
    public void Program_without_the_plugin_should_say_how_to_get_it()
    {
        PetabridgeLoader.Load(options, log).ShouldBeNull();
        log.ShouldBe(["Information: Petabridge.Cmd is not part of this program (build with -p:PetabridgeCmd=true), so pbm finds no host at port 9111"]);
    }

    [Fact]
    public void Nothing_should_be_loaded_or_said_when_it_is_switched_off()
    {
        PetabridgeLoader.Load(options with { Enabled = false }, log).ShouldBeNull();
        PetabridgeLoader.Load(options with { Enabled = false }, log, typeof(PetabridgeLoaderTests).Assembly.Location).ShouldBeNull();
        log.ShouldBeEmpty();
    }

    [Fact]
    public void File_that_is_no_assembly_should_be_told_with_its_path()
    {
        string path = folder.File("Sync.Petabridge.dll");
        File.WriteAllText(path, "half a download");
        PetabridgeLoader.Load(options, log, path).ShouldBeNull();
        string line = log.ShouldHaveSingleItem();
        line.ShouldStartWith($"Warning: {path} is there but can't be loaded, so pbm finds no host at port 9111: ");
        line.ShouldEndWith("." + Remedy);
        line.ShouldNotContain('\n');
    }

    [Fact]
    public void Assembly_without_the_plugin_should_be_told_with_the_name_of_the_class()
    {
        PetabridgeLoader.Load(options, log, typeof(PetabridgeLoaderTests).Assembly.Location).ShouldBeNull();
        string line = log.ShouldHaveSingleItem();
        line.ShouldContain("Sync.Petabridge.PetabridgePlugin");
        line.ShouldEndWith("." + Remedy);
    }

    public void Dispose() => folder.Dispose();

    sealed class Lines : List<string>, ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Add($"{logLevel}: {formatter(state, exception)}");
    }
}

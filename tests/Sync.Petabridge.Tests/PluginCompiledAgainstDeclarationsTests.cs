using Akka.Actor;
using Akka.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Petabridge.Cmd;
using Petabridge.Cmd.Host;
using Sync.Actors.Inspection;
using Sync.Contracts.Configuration;

namespace Sync.Petabridge.Tests;

/// <summary>
/// The sources of <c>src/Sync.Petabridge</c> in a real actor system, compiled against the hand-written <c>Declarations/</c> and not against the packages of Petabridge.Cmd. So
/// these tests show that the plug-in fits ActorSync and what its documentation says of Petabridge.Cmd; that it runs with the packages they can't show.
/// </summary>
public sealed class PluginCompiledAgainstDeclarationsTests
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(20);
    static readonly PetabridgeOptions options = new() { Host = "127.0.0.2", Port = 9111 };

    [Fact]
    public void Declarations_and_not_the_packages_should_be_what_the_plugin_is_compiled_against()
    {
        typeof(PetabridgePlugin).Assembly.GetReferencedAssemblies().ShouldNotContain(a => a.Name!.StartsWith("Petabridge", StringComparison.Ordinal));
        typeof(PetabridgeCmd).Assembly.ShouldBe(typeof(PluginCompiledAgainstDeclarationsTests).Assembly);
    }

    [Fact]
    public async Task Host_should_be_started_with_four_palettes_at_the_configured_address()
    {
        using var node = await StartAsync(options, new FixedText());
        var host = PetabridgeCmd.Get(node.Services.GetRequiredService<ActorSystem>());
        host.Palettes.Select(p => p.Palette.ModuleName).ShouldBe(["cluster", "cluster-sharding", "remote", "actorsync"]);
        host.Palettes[^1].Palette.Commands.Select(c => c.Name).ShouldBe(["lag", "lanes", "circuits", "deadletters"]);
        host.Address.ShouldBe("127.0.0.2:9111");
    }

    [Fact]
    public async Task Host_should_not_be_started_when_petabridge_is_switched_off()
    {
        using var node = await StartAsync(options with { Enabled = false }, new FixedText());
        var host = PetabridgeCmd.Get(node.Services.GetRequiredService<ActorSystem>());
        host.Palettes.ShouldBeEmpty();
        host.Address.ShouldBeNull();
    }

    [Theory]
    [InlineData("lag", "all: 3 rows")]
    [InlineData("lanes", "node1:7719: 2 lanes: 0-1", "node2:7719: 2 lanes: 2-3")]
    [InlineData("circuits", "Redis refuses no lane.")]
    [InlineData("deadletters", "5 dead letters of 1 keys")]
    public async Task Command_should_be_answered_with_the_lines_of_the_host(string command, params string[] lines)
    {
        using var node = await StartAsync(options, new FixedText());
        var answer = await PetabridgeCmd.Get(node.Services.GetRequiredService<ActorSystem>()).RunAsync("actorsync", command, patience);
        var response = answer.ShouldBeOfType<CommandResponse>();
        response.Output.ShouldBe(string.Join(Environment.NewLine, lines));
        response.Final.ShouldBeTrue();
    }

    [Fact]
    public async Task Command_should_be_answered_with_an_error_when_the_node_is_no_member()
    {
        using var node = await StartAsync(options, new FixedText { Failure = new InvalidOperationException("This node is no member.") });
        var answer = await PetabridgeCmd.Get(node.Services.GetRequiredService<ActorSystem>()).RunAsync("actorsync", "lanes", patience);
        answer.ShouldBeOfType<ErroredCommandResponse>().Output.ShouldBe("This node is no member.");
    }

    /// <summary>As the cluster host does it, but that this assembly stands in for the one beside the program.</summary>
    static async Task<IHost> StartAsync(PetabridgeOptions options, IPetabridgeText text)
    {
        var plugin = PetabridgeLoader.Load(options, NullLogger.Instance, typeof(PluginCompiledAgainstDeclarationsTests).Assembly.Location);
        (plugin is not null).ShouldBe(options.Enabled);
        var node = new HostBuilder()
            .ConfigureServices(services => services.AddAkka("pbm", akka =>
            {
                akka.ConfigureLoggers(loggers => loggers.ClearLoggers());
                plugin?.AddTo(akka, options, text);
            }))
            .ConfigureLogging(logging => logging.ClearProviders())
            .Build();
        await node.StartAsync();
        return node;
    }

    sealed class FixedText : IPetabridgeText
    {
        public Exception? Failure { get; init; }

        public Task<IReadOnlyList<string>> LagAsync(CancellationToken cancellationToken) => Say("all: 3 rows");

        public Task<IReadOnlyList<string>> LanesAsync(CancellationToken cancellationToken) => Say("node1:7719: 2 lanes: 0-1", "node2:7719: 2 lanes: 2-3");

        public Task<IReadOnlyList<string>> CircuitsAsync(CancellationToken cancellationToken) => Say("Redis refuses no lane.");

        public Task<IReadOnlyList<string>> DeadLettersAsync(CancellationToken cancellationToken) => Say("5 dead letters of 1 keys");

        Task<IReadOnlyList<string>> Say(params string[] lines) => Failure is null ? Task.FromResult<IReadOnlyList<string>>(lines) : Task.FromException<IReadOnlyList<string>>(Failure);
    }
}

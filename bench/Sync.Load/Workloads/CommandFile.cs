using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using Sync.Load.Contestants;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Streaming;
using Sync.Testing;

namespace Sync.Load.Workloads;

/// <summary>The commands of a backlog as RESP, in a temporary file: our own decoding and mapping, nothing of the transactions around them.</summary>
sealed class CommandFile : IDisposable
{
    readonly Sandbox folder = new();
    readonly Dictionary<uint, TablePlan> plans = [];
    readonly PgOutputDecoder decoder = new();
    readonly MappedChange mapped = new();

    CommandFile() { }

    public string Path => folder.File("commands");

    public static async Task<CommandFile> WriteAsync(Stage stage, Backlog backlog)
    {
        var file = new CommandFile();
        string slot = await backlog.NewSlotAsync("pgoutput");
        try
        {
            await file.ReadAsync(stage, backlog.Workload, slot);
        }
        catch
        {
            file.Dispose();
            throw;
        }
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
        return file;
    }

    async Task ReadAsync(Stage stage, Workload workload, string slot)
    {
        var config = ConfigLoader.Load(NodeContestant.WriteConfig(stage, workload.Publication, slot, workload.Tables, folder.Path), new Dictionary<string, string>(), folder.Path);
        await using var primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync();
        var catalog = new CatalogReader(primary.DataSource);
        var options = new ReplicationStreamOptions { Slot = slot, Publications = [workload.Publication] };
        await using var stream = await ReplicationStream.OpenAsync(primary, options, CancellationToken.None);
        await using var output = new FileStream(Path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
        for (int rows = 0; rows < workload.Rows;)
        {
            var message = await stream.NextAsync();
            var kind = decoder.Decode(message.Span);
            if (kind == PgOutputMessageKind.Relation) await BindAsync(catalog, config);
            else if (kind is PgOutputMessageKind.Insert or PgOutputMessageKind.Update or PgOutputMessageKind.Delete)
            {
                output.Write(Map((ChangeKind)kind, message.Span));
                rows++;
            }
        }
    }

    async Task BindAsync(CatalogReader catalog, SyncConfig config)
    {
        var relation = await catalog.CompleteAsync(decoder.Table!);
        var table = config.Tables.First(t => t.FullName == relation.FullName);
        plans[relation.Oid] = TablePlanCompiler.Compile(table, relation, new MappingOptions()).Plan!;
    }

    ReadOnlySpan<byte> Map(ChangeKind kind, ReadOnlySpan<byte> message)
    {
        var plan = plans[decoder.RelationOid];
        var outcome = plan.Map(new RowChange
        {
            Relation = plan.Relation,
            Kind = kind,
            New = kind == ChangeKind.Delete ? default : decoder.New(message),
            Old = kind == ChangeKind.Insert ? default : decoder.Old(message),
        }, mapped);
        return outcome == MapOutcome.Mapped ? mapped.Commands.Written : throw new InvalidOperationException($"A row became {outcome}: {mapped.Error}");
    }

    public void Dispose() => folder.Dispose();
}

using System.Diagnostics;
using Npgsql;
using Sync.Contracts;
using Sync.Engine.Retry;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Streaming;
using Sync.Testing;

namespace Sync.Postgres.Tests.Streaming;

/// <summary>The life of the connection: ends, resumptions, positions, memory.</summary>
[Collection(PostgresCollection.Name)]
[Trait("Speed", "Slow")]
public class ReplicationStreamTests(PostgresFixture postgres)
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_terminated_walsender_should_end_the_stream_by_a_passing_error_and_a_new_one_should_resume()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        await stream.SqlAsync("insert into t values (1)");
        await stream.ReadAsync();
        await stream.SqlAsync($"select pg_terminate_backend({stream.Stream.ProcessId})");
        var error = await Should.ThrowAsync<ReplicationStreamException>(() => stream.NextAsync());
        error.Class.ShouldBe(FailureClass.Transient);
        (await stream.Stream.SendStatusAsync()).ShouldBeFalse();
        await stream.Stream.DisposeAsync();

        await stream.OpenAsync();
        await stream.SqlAsync("insert into t values (2)");
        (await stream.ReadAsync(2)).ShouldBe(["I (1)", "I (2)"], "nothing was confirmed, so that nothing may be skipped");
    }

    [Fact]
    public async Task A_confirmed_transaction_should_not_come_again()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        await stream.SqlAsync("insert into t values (1)");
        await stream.ReadAsync();
        var end = stream.Decoder.EndLsn;
        stream.Stream.SetConfirmed(end);
        stream.Stream.SetConfirmed(new Lsn(1));
        stream.Stream.Confirmed.ShouldBe(end);
        (await stream.Stream.SendStatusAsync()).ShouldBeTrue();
        await PollAsync(async () => await stream.ScalarAsync<string>($"select confirmed_flush_lsn::text from pg_replication_slots where slot_name = '{stream.Slot}'") == end.ToString());
        await stream.Stream.DisposeAsync();

        await stream.OpenAsync();
        await stream.SqlAsync("insert into t values (2)");
        (await stream.ReadAsync()).ShouldBe(["I (2)"]);
    }

    [Theory]
    [InlineData(StopMode.Fast)]
    [InlineData(StopMode.Immediate)]
    public async Task A_restarted_server_should_end_the_stream_by_a_passing_error(StopMode mode)
    {
        await using var server = await PostgresServer.StartAsync();
        await using var stream = await StreamHarness.StartAsync(server, "create table t (id int primary key)");
        var next = stream.NextAsync();
        await server.RestartAsync(mode);
        (await Should.ThrowAsync<ReplicationStreamException>(next)).Class.ShouldBe(FailureClass.Transient);
        await stream.Stream.DisposeAsync();

        await stream.OpenAsync();
        await stream.SqlAsync("insert into t values (1)");
        (await stream.ReadAsync()).ShouldBe(["I (1)"]);
    }

    [Fact]
    public async Task A_missing_slot_should_be_fatal_and_a_used_one_should_pass()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        var missing = await RefusalAsync(stream, "no_such_slot");
        missing.Class.ShouldBe(FailureClass.Fatal);
        stream.Primary.Describe(missing).Code.ShouldBe(ExitCode.Slot);
        var used = await RefusalAsync(stream, stream.Slot);
        used.Class.ShouldBe(FailureClass.Transient);
        used.InnerException.ShouldBeOfType<PostgresException>().SqlState.ShouldBe(PostgresErrorCodes.ObjectInUse);
    }

    [Fact]
    public async Task Names_should_be_quoted()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, """create table t (id int primary key); create publication "a,b'c""d" for table t""");
        await stream.SqlAsync($"select pg_create_logical_replication_slot('1_{stream.Slot}', 'pgoutput'); ");
        await stream.SqlAsync("insert into t values (1)");
        var options = new ReplicationStreamOptions { Slot = $"1_{stream.Slot}", Publications = ["a,b'c\"d"] };
        await using (var second = await ReplicationStream.OpenAsync(stream.Primary, options, CancellationToken.None))
            (await second.NextAsync().AsTask().WaitAsync(patience)).Span[0].ShouldBe((byte)'B');
        await PollAsync(() => stream.ScalarAsync<bool>($"select not active from pg_replication_slots where slot_name = '1_{stream.Slot}'"));
        await stream.SqlAsync($"select pg_drop_replication_slot('1_{stream.Slot}')");
    }

    [Fact]
    public async Task Stop_should_end_a_waiting_read_and_leave_the_slot_free()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        var next = stream.NextAsync();
        stream.Stream.Stop();
        await Should.ThrowAsync<OperationCanceledException>(next);
        await Should.ThrowAsync<OperationCanceledException>(() => stream.NextAsync());
        await stream.Stream.DisposeAsync();
        await PollAsync(() => stream.ScalarAsync<bool>($"select not active from pg_replication_slots where slot_name = '{stream.Slot}'"));
    }

    // Seen as a crash of the whole process: Npgsql's own disposal reads on beside the pending read.
    [Fact]
    public async Task Disposal_should_end_a_waiting_read_and_wait_for_it()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        for (int i = 0; i < 10; i++)
        {
            var waiting = stream.NextAsync();
            await stream.Stream.DisposeAsync().AsTask().WaitAsync(patience);
            await Should.ThrowAsync<OperationCanceledException>(waiting);
            await Should.ThrowAsync<OperationCanceledException>(async () => await stream.Stream.NextAsync());
            await stream.OpenAsync();
        }
    }

    [Fact]
    public async Task A_second_read_at_a_time_should_be_refused()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        var first = stream.NextAsync();
        await Should.ThrowAsync<InvalidOperationException>(async () => await stream.Stream.NextAsync());
        await stream.SqlAsync("insert into t values (1)");
        (await first).Span[0].ShouldBe((byte)'B');
    }

    [PostgresFact(15)]
    public async Task An_idle_slot_should_move_with_keepalives_while_other_tables_are_written()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key); create table busy (id int)", "for table t");
        await stream.SqlAsync("insert into t values (1)");
        await stream.ReadAsync();
        var waiting = stream.NextAsync();
        await stream.SqlAsync("insert into busy select generate_series(1, 1000)");
        var written = Lsn.Parse((await stream.ScalarAsync<string>("select pg_current_wal_lsn()::text"))!);
        await PollAsync(() => Task.FromResult(stream.Stream.LastReceived >= written));
        waiting.IsCompleted.ShouldBeFalse("a keepalive is no message");
        stream.Stream.SetConfirmed(stream.Stream.LastReceived);
        await stream.Stream.SendStatusAsync();
        await PollAsync(() => stream.ScalarAsync<bool>($"select confirmed_flush_lsn >= '{written}' from pg_replication_slots where slot_name = '{stream.Slot}'"));
        await stream.SqlAsync("insert into t values (2)");
        (await waiting).Span[0].ShouldBe((byte)'B');
    }

    [Fact]
    public async Task Status_updates_should_flow_while_nobody_reads_and_threads_send_their_own()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text)");
        await stream.SqlAsync("insert into t select g, repeat('x', 1000) from generate_series(1, 20000) g");
        var sends = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 200; i++) (await stream.Stream.SendStatusAsync()).ShouldBeTrue();
        })).ToArray();
        var lines = await stream.ReadAsync();
        lines.Count.ShouldBe(20_000);
        await Task.WhenAll(sends);

        // Nobody reads from here on; only the timer can carry the position over.
        stream.Stream.SetConfirmed(stream.Decoder.EndLsn);
        await PollAsync(() => stream.ScalarAsync<bool>($"select confirmed_flush_lsn = '{stream.Decoder.EndLsn}' from pg_replication_slots where slot_name = '{stream.Slot}'"));
    }

    [Fact]
    public async Task Silence_should_end_the_stream_only_when_the_server_does_not_answer()
    {
        var silence = TimeSpan.FromSeconds(1);
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)", receiveTimeout: silence);
        var waiting = stream.NextAsync();
        // PostgreSQL itself speaks every 30 s, so it lives on because it is asked.
        await Task.WhenAny(waiting, Task.Delay(3 * silence));
        waiting.IsCompleted.ShouldBeFalse();
        await SignalAsync("STOP", stream.Stream.ProcessId);
        try
        {
            var error = await Should.ThrowAsync<ReplicationStreamException>(waiting);
            error.Class.ShouldBe(FailureClass.Transient);
            error.Message.ShouldContain("said nothing for 1 s");
        }
        finally
        {
            await SignalAsync("CONT", stream.Stream.ProcessId);
        }
    }

    static async Task SignalAsync(string signal, int pid)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{pid}"]);
        await kill.WaitForExitAsync();
        kill.ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task A_transaction_of_200_000_rows_should_pass_in_flat_memory()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text)");
        await stream.SqlAsync("insert into t select g, repeat('x', 500) from generate_series(1, 200000) g");
        int rows = 0;
        long start = 0, highest = 0;
        while (true)
        {
            var message = await stream.NextAsync();
            var kind = stream.Decoder.Decode(message.Span);
            if (kind == PgOutputMessageKind.Commit) break;
            if (kind != PgOutputMessageKind.Insert) continue;
            if (rows == 1000) start = GC.GetTotalMemory(forceFullCollection: true);
            if (++rows % 20_000 == 0) highest = Math.Max(highest, GC.GetTotalMemory(forceFullCollection: true));
        }
        rows.ShouldBe(200_000);
        // 100 MB of values went by; other tests of this process may allocate at the same time, hence the room.
        (highest - start).ShouldBeLessThan(20_000_000);
    }

    [Fact]
    public async Task A_message_of_many_megabytes_should_arrive_whole_and_its_memory_should_go()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key, v text)");
        await stream.SqlAsync("insert into t values (1, repeat('é', 8000000)), (2, 'small')");
        var lines = await stream.ReadAsync();
        lines[0].ShouldBe($"I (1, {new string('é', 8_000_000)})");
        lines[1].ShouldBe("I (2, small)");
    }

    [Fact]
    public async Task A_read_should_be_pending_only_when_the_stream_is_drained()
    {
        await using var stream = await StreamHarness.StartAsync(postgres.Server, "create table t (id int primary key)");
        await stream.SqlAsync("insert into t select generate_series(1, 2000)");
        string written = (await stream.ScalarAsync<string>("select pg_current_wal_lsn()::text"))!;
        // Once the server has sent it all, the socket holds it, and no read has to wait.
        await PollAsync(() => stream.ScalarAsync<bool>($"select sent_lsn >= '{written}' from pg_stat_replication where pid = {stream.Stream.ProcessId}"));
        await stream.NextAsync();
        int pending = 0, messages = 0;
        while (true)
        {
            var next = stream.Stream.NextAsync();
            if (!next.IsCompleted) pending++;
            var message = await next.AsTask().WaitAsync(patience);
            messages++;
            if (stream.Decoder.Decode(message.Span) == PgOutputMessageKind.Commit) break;
        }
        messages.ShouldBe(2002);
        pending.ShouldBeLessThan(20);
        var drained = stream.Stream.NextAsync();
        drained.IsCompleted.ShouldBeFalse();
        await stream.SqlAsync("insert into t values (0)");
        (await drained.AsTask().WaitAsync(patience)).Span[0].ShouldBe((byte)'B');
    }

    static async Task<ReplicationStreamException> RefusalAsync(StreamHarness stream, string slot)
    {
        await using var refused = await ReplicationStream.OpenAsync(stream.Primary, new ReplicationStreamOptions { Slot = slot, Publications = ["pub"] }, CancellationToken.None);
        return await Should.ThrowAsync<ReplicationStreamException>(() => refused.NextAsync().AsTask().WaitAsync(patience));
    }

    static async Task PollAsync(Func<Task<bool>> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            if (clock.Elapsed > patience) throw new TimeoutException("The condition did not come true in time.");
            await Task.Delay(20);
        }
    }
}

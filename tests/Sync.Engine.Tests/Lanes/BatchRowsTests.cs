using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using static Sync.Engine.Tests.Lanes.LaneRowsFor;

namespace Sync.Engine.Tests.Lanes;

public class BatchRowsTests
{
    static Batch Mixed()
    {
        var batch = BatchOf((1, "a"), (2, "bb"));
        batch.AddPoison(3, At(3), "ccc"u8, 4, ChangeKind.Delete, 77, "can't be expressed");
        batch.Add(4, At(4), "x"u8, 2, "d"u8, 5, ChangeKind.Insert, 78);
        return batch;
    }

    static string Text(Batch batch) => string.Join('\n', Enumerable.Range(0, batch.Count).Select(i =>
    {
        ref readonly var e = ref batch.Entries[i];
        return $"{e.Position} {Convert.ToHexString(batch.CommandsOf(e))} {e.Commands} {Convert.ToHexString(batch.Key(e))} {e.Table} {e.Kind} {e.CommitTicks} {batch.ErrorOf(i)}";
    }));

    [Fact]
    public void A_batch_should_come_back_as_it_was()
    {
        var batch = Mixed();
        var rows = batch.ToRows();
        var back = new Batch();
        back.AddRows(9, rows);
        Text(back).ShouldBe(Text(batch));
        back.Commands.ShouldBe(batch.Commands);
        back.FirstSequence.ShouldBe(9);
        rows.Bytes.ShouldBe(batch.Bytes);
    }

    [Fact]
    public void Rows_that_are_left_out_should_leave_no_trace()
    {
        var expected = new Batch();
        for (int entry = 2; entry < 4; entry++) expected.AddCopy(Mixed(), entry);
        var back = new Batch();
        back.AddRows(1, Mixed().ToRows(), 2);
        Text(back).ShouldBe(Text(expected));
        back.Bytes.ShouldBe(expected.Bytes);
        back.AddRows(1, Mixed().ToRows(), 4);
        back.Count.ShouldBe(2);
    }

    [Fact]
    public void Rows_should_stand_behind_what_the_batch_holds()
    {
        var back = Mixed();
        back.AddRows(5, BatchOf((8, "h")).ToRows());
        Text(back).ShouldBe(Text(Mixed()) + "\n" + Text(BatchOf((8, "h"))));
        back.HasPoison.ShouldBeTrue();
    }

    [Fact]
    public void Rows_that_were_joined_should_be_those_of_all_parts()
    {
        var back = new Batch();
        back.AddRows(1, LaneRows.Join([Mixed().ToRows(), BatchOf((8, "h")).ToRows(), Mixed().ToRows()]));
        Text(back).ShouldBe(string.Join('\n', Text(Mixed()), Text(BatchOf((8, "h"))), Text(Mixed())));
    }

    [Fact]
    public void Many_rows_should_allocate_two_blocks_and_an_array()
    {
        var batch = BatchOf([.. Enumerable.Range(1, 1000).Select(i => ((long)i, "key"))]);
        var rows = batch.ToRows();
        var back = new Batch();
        back.AddRows(1, rows);
        back.Reset();
        long before = GC.GetAllocatedBytesForCurrentThread();
        back.AddRows(1, rows);
        long taking = GC.GetAllocatedBytesForCurrentThread() - before;
        before = GC.GetAllocatedBytesForCurrentThread();
        rows = batch.ToRows();
        long giving = GC.GetAllocatedBytesForCurrentThread() - before;
        taking.ShouldBeLessThan(1000);
        giving.ShouldBeLessThan(rows.Bytes + (1000 * System.Runtime.CompilerServices.Unsafe.SizeOf<LaneRow>()) + 1000);
    }
}

using Google.Protobuf.Collections;
using Sync.Contracts.Rows;

namespace Sync.Contracts.Cluster.Wire;

/// <summary>
/// Rows as columns. What is the same in all rows, which the table, the kind and the number of commands often are, takes one element, and positions and times
/// are differences, so that a row takes four to six bytes beside its commands and its key.
/// </summary>
static class RowColumns
{
    public static RowsProto Write(LaneRows source)
    {
        var form = new RowsProto { Body = LaneForms.Wrap(source.Body), Keys = LaneForms.Wrap(source.Keys) };
        var rows = source.Rows.Span;
        Reserve(form, rows.Length);
        byte[] kinds = new byte[rows.Length];
        var before = default(LaneRow);
        for (int i = 0; i < rows.Length; i++)
        {
            ref readonly var row = ref rows[i];
            form.BodyLength.Add((uint)row.BodyLength);
            form.KeyLength.Add((uint)row.KeyLength);
            form.CommitDelta.Add(unchecked((long)(row.Position.Commit.Value - before.Position.Commit.Value)));
            form.StepDelta.Add(unchecked((long)(row.Position.Step - before.Position.Step)));
            form.Commands.Add((uint)row.Commands);
            form.Table.Add((uint)row.Table);
            form.TicksDelta.Add(unchecked(row.CommitTicks - before.CommitTicks));
            kinds[i] = (byte)row.Kind;
            before = row;
        }
        Shorten(form.KeyLength);
        Shorten(form.Commands);
        Shorten(form.Table);
        form.Kind = LaneForms.Wrap(kinds.AsSpan().ContainsAnyExcept(kinds.FirstOrDefault()) ? kinds : kinds.AsMemory(0, Math.Min(1, kinds.Length)));
        foreach (var (row, text) in source.Errors)
        {
            form.ErrorRow.Add((uint)row);
            form.ErrorText.Add(text);
        }
        foreach (var (row, text) in source.Identities)
        {
            form.LargeRow.Add((uint)row);
            form.LargeKey.Add(text);
        }
        return form;
    }

    /// <exception cref="ClusterWireException">The columns don't fit together.</exception>
    public static LaneRows Read(RowsProto? form)
    {
        if (form is null) throw Malformed("there are none");
        int count = form.BodyLength.Count;
        RequireLength(form.KeyLength.Count, count, "key_length");
        RequireLength(form.Commands.Count, count, "commands");
        RequireLength(form.Table.Count, count, "table");
        RequireLength(form.Kind.Length, count, "kind");
        if (form.CommitDelta.Count != count || form.StepDelta.Count != count || form.TicksDelta.Count != count)
            throw Malformed("a column of differences is too short or too long");
        var rows = new LaneRow[count];
        var kinds = form.Kind.Span;
        long body = 0, keys = 0;
        ulong commit = 0, step = 0;
        long ticks = 0;
        for (int i = 0; i < count; i++)
        {
            unchecked
            {
                commit += (ulong)form.CommitDelta[i];
                step += (ulong)form.StepDelta[i];
                ticks += form.TicksDelta[i];
            }
            uint bodyLength = form.BodyLength[i], keyLength = At(form.KeyLength, i);
            var kind = (ChangeKind)kinds[kinds.Length == 1 ? 0 : i];
            // What a later version means by it must not be taken for commands.
            if (kind is not (ChangeKind.Insert or ChangeKind.Update or ChangeKind.Delete or ChangeKind.Truncate or ChangeKind.Compare)) throw Malformed($"a row is of kind {(byte)kind}, which this version does not know");
            rows[i] = new LaneRow(
                new Position(new Lsn(commit), step), (int)bodyLength, (int)keyLength, (int)At(form.Commands, i), (int)At(form.Table, i), kind, ticks);
            body += bodyLength;
            keys += keyLength;
        }
        if (body != form.Body.Length || keys != form.Keys.Length) throw Malformed("the lengths of the rows don't add up to the bytes there are");
        return new LaneRows(form.Body.Memory, form.Keys.Memory, rows, Texts(form.ErrorRow, form.ErrorText, count))
        {
            Identities = Texts(form.LargeRow, form.LargeKey, count),
        };
    }

    static LaneRowText[] Texts(RepeatedField<uint> rows, RepeatedField<string> texts, int count)
    {
        if (rows.Count != texts.Count) throw Malformed("not every row that should have a text has one");
        if (rows.Count == 0) return [];
        var all = new LaneRowText[rows.Count];
        for (int i = 0; i < all.Length; i++)
        {
            if (rows[i] >= count) throw Malformed("a text is of a row that is not there");
            all[i] = new LaneRowText((int)rows[i], texts[i]);
        }
        return all;
    }

    static void Reserve(RowsProto form, int rows)
    {
        form.BodyLength.Capacity = form.KeyLength.Capacity = form.Commands.Capacity = form.Table.Capacity = rows;
        form.CommitDelta.Capacity = form.StepDelta.Capacity = form.TicksDelta.Capacity = rows;
    }

    static void Shorten(RepeatedField<uint> column)
    {
        for (int i = 1; i < column.Count; i++)
            if (column[i] != column[0]) return;
        while (column.Count > 1) column.RemoveAt(column.Count - 1);
    }

    static uint At(RepeatedField<uint> column, int row) => column[column.Count == 1 ? 0 : row];

    static void RequireLength(int length, int rows, string column)
    {
        if (length != rows && (length != 1 || rows == 0)) throw Malformed($"the column {column} has {length} elements for {rows} rows");
    }

    static ClusterWireException Malformed(string why) => new($"The rows of a lane's batch are not readable: {why}.");
}

namespace Sync.Load.Workloads;

/// <summary>Rows with a document, about 2 KB of JSON, each a string that is the whole row as JSON.</summary>
sealed class JsonWorkload(int rows) : RowsWorkload(rows)
{
    const int texts = 13;

    public override string Name => "json";

    protected override string Columns => "id bigint primary key, doc jsonb, updated_at timestamptz";

    // Larger than 2 KB in the table as well, so it would be compressed: what is measured here is the way of the row, not pglz.
    protected override string Afterwards => "alter table json set (toast_tuple_target = 8160)";

    protected override string Values => $"""
        g, jsonb_build_object('name', 'User Name '||g, 'visits', g%1000, 'tags', array['a','b','c'],
          {string.Join(", ", Enumerable.Range(1, texts).Select(i => $"'text{i}', repeat(md5((g+{i})::text), 4)"))}),
          '2026-02-01 00:00:00.654321+00'::timestamptz + g*interval '1 second'
        """;

    protected override string Update =>
        "doc=jsonb_set(doc, '{visits}', to_jsonb((doc->>'visits')::int+1)), updated_at=updated_at+interval '1 day'";

    protected override string Expected => """
        array[jsonb_build_object('id', r.id, 'doc', r.doc,
          'updated_at', to_char(r.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text]
        """;

    protected override string Command => """["SET", "user:{id}", "{json:*}"]""";

    public override SimpleTable Simple => new(Name, IsJson: true);
}

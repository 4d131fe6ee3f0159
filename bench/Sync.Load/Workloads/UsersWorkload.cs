namespace Sync.Load.Workloads;

/// <summary>Rows of eight columns, each a hash.</summary>
sealed class UsersWorkload(int rows) : RowsWorkload(rows)
{
    public override string Name => "users";

    protected override string Columns =>
        "id bigint primary key, name text, email text, status text, score int, balance numeric(12,2), created_at timestamptz, updated_at timestamptz";

    protected override string Values => """
        g, 'User Name '||g, 'user'||g||'@example.com', (array['active','inactive','pending','blocked'])[1+g%4], g%1000,
          (g::bigint*7919%10000000)/100.0, '2026-01-01 00:00:00.123456+00'::timestamptz + g*interval '1 second',
          '2026-02-01 00:00:00.654321+00'::timestamptz + g*interval '1 second'
        """;

    protected override string Update => "score=score+1, balance=balance+1.5, status='updated', updated_at=updated_at+interval '1 day'";

    protected override string Expected => """
        array['id', r.id::text, 'name', r.name, 'email', r.email, 'status', r.status, 'score', r.score::text,
          'balance', r.balance::text, 'created_at', r.created_at::text, 'updated_at', r.updated_at::text]
        """;

    protected override string Command => """["HSET", "user:{id}", "{pairs:*}"]""";
}

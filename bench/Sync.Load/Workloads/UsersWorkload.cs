namespace Sync.Load.Workloads;

/// <summary>
/// Rows of eight columns: N inserts, 100 a transaction; N updates spread over all rows, 10 a transaction; N / 5 deletes, 100 a transaction.
/// </summary>
sealed class UsersWorkload : Workload
{
    const int perInsert = 100, perUpdate = 10, perDelete = 100;

    // Prime, so that a transaction's rows differ whatever the number of rows is.
    const int stride = 611953;

    readonly int users;

    /// <param name="rows">About how many row changes; rounded down to whole transactions.</param>
    public UsersWorkload(int rows)
    {
        users = (int)(rows / 2.2);
        users -= users % (5 * perDelete);
        if (users % stride == 0) users -= 5 * perDelete;
        if (users == 0) throw LoadOptions.Wrong($"{rows} rows are too few for this workload");
    }

    public override string Name => "users";

    public override int Rows => 2 * users + users / 5;

    public override int Keys => users - users / 5;

    public override string Publication => "users_pub";

    public override IReadOnlyList<string> Schema =>
    [
        """
        create table users(
          id bigint primary key, name text, email text, status text, score int, balance numeric(12,2), created_at timestamptz, updated_at timestamptz)
        """,
        $"create publication {Publication} for table users",
    ];

    public override IReadOnlyList<string> Changes =>
    [
        $"""
        do $$ begin for i in 0..{users / perInsert - 1} loop
          insert into users select g, 'User Name '||g, 'user'||g||'@example.com', (array['active','inactive','pending','blocked'])[1+g%4], g%1000,
            (g::bigint*7919%10000000)/100.0, '2026-01-01 00:00:00.123456+00'::timestamptz + g*interval '1 second',
            '2026-02-01 00:00:00.654321+00'::timestamptz + g*interval '1 second'
            from generate_series(i*{perInsert}+1, (i+1)*{perInsert}) g;
          commit; end loop; end $$
        """,
        $"""
        do $$ begin for i in 0..{users / perUpdate - 1} loop
          update users set score=score+1, balance=balance+1.5, status='updated', updated_at=updated_at+interval '1 day'
            where id = any(array(select 1+((i::bigint*{perUpdate}+k)*{stride})%{users} from generate_series(0,{perUpdate - 1}) k));
          commit; end loop; end $$
        """,
        $"""
        do $$ begin for i in 0..{users / 5 / perDelete - 1} loop
          delete from users where id between i*{perDelete}+1 and (i+1)*{perDelete};
          commit; end loop; end $$
        """,
    ];

    public override string Sample => $"""
        select 'user:'||i, case when u.id is not null then array['id', u.id::text, 'name', u.name, 'email', u.email, 'status', u.status, 'score', u.score::text,
          'balance', u.balance::text, 'created_at', u.created_at::text, 'updated_at', u.updated_at::text] end
        from generate_series(1, {users}, {Math.Max(1, users / 500)}) i left join users u on u.id = i
        """;

    public override string Tables => """
        - public.users:
            insert: { commands: [["HSET", "user:{id}", "{pairs:*}"]] }
            update: { commands: [["HSET", "user:{id}", "{pairs:*}"]] }
            delete: { commands: [["DEL", "user:{id}"]] }
        """;
}

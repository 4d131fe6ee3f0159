using Sync.Contracts.Configuration;
using Sync.Postgres.Wire;

namespace Sync.Postgres.Tests.Wire;

public class PasswordFileTests
{
    static readonly string[] lines =
    [
        "# a comment:5432:shop:app:no", "", "db1:5432:shop", "db1:5432:shop:app:first", "db1:*:*:app:any port", "*:5432:shop:we\\:ird:back\\\\slash:and colons", "/data/pg:*:x:\\*:star", "/data/pg:*:x:z:folder", "localhost:*:*:*:local ",
        "\\:\\:1:5432:shop:app:v6",
    ];

    [Theory]
    [InlineData("db1", 5432, "shop", "app", "first")]
    [InlineData("db1", 5433, "shop", "app", "any port")]
    [InlineData("db2", 5432, "shop", "we:ird", "back\\slash:and colons")]
    [InlineData("/run/postgresql", 5432, "x", "y", "local ")]
    [InlineData("/data/pg", 5432, "x", "z", "folder")]
    [InlineData("/data/pg", 5432, "x", "*", "star")]
    [InlineData("/data/pg", 5432, "x", "y", "local ")]
    [InlineData("::1", 5432, "shop", "app", "v6")]
    [InlineData("db2", 5432, "shop", "app", null)]
    public void First_line_that_fits_should_give_the_password(string host, int port, string database, string user, string? expected) =>
        PasswordFile.Find(lines, new HostPort(host, port), database, user).ShouldBe(expected);
}

namespace Sync.Testing;

/// <summary>A test of what only some versions of PostgreSQL have; skipped on others.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PostgresFactAttribute : FactAttribute
{
    /// <param name="since">The first major version that has it.</param>
    /// <param name="before">The first major version that has it no more.</param>
    public PostgresFactAttribute(int since, int before = int.MaxValue) => Skip = PostgresVersion.WhyNot(since, before);
}

/// <summary>The same with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PostgresTheoryAttribute : TheoryAttribute
{
    /// <param name="since">The first major version that has it.</param>
    /// <param name="before">The first major version that has it no more.</param>
    public PostgresTheoryAttribute(int since, int before = int.MaxValue) => Skip = PostgresVersion.WhyNot(since, before);
}

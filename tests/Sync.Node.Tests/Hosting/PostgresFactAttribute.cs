using Sync.Testing;

namespace Sync.Node.Tests.Hosting;

/// <summary>A test of what only later versions of PostgreSQL have.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PostgresFactAttribute : FactAttribute
{
    /// <param name="since">The first major version that has it.</param>
    public PostgresFactAttribute(int since) => Skip = PostgresVersion.WhyNot(since);
}

/// <summary>The same with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PostgresTheoryAttribute : TheoryAttribute
{
    /// <param name="since">The first major version that has it.</param>
    public PostgresTheoryAttribute(int since) => Skip = PostgresVersion.WhyNot(since);
}

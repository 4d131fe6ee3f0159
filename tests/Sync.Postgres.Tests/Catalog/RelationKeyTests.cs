using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Rows;
using Sync.Postgres.Catalog;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Tests.Catalog;

public class RelationKeyTests
{
    static DecodedRelation Relation(ReplicaIdentity identity, params (string Name, bool IsKey)[] columns) =>
        new(1, "public", "t", identity, [.. columns.Select(c => new DecodedColumn(c.Name, 23, c.IsKey))]);

    static CatalogKey Key(params string[] columns) => new(columns, Immediate: true);

    [Fact]
    public void Catalog_should_give_the_order_where_the_flags_agree() =>
        RelationKey.Find(Relation(ReplicaIdentity.Default, ("a", true), ("b", false), ("c", true)), Key("c", "a")).ShouldBe([2, 0]);

    [Fact]
    public void Flags_should_win_over_a_key_that_was_changed_since()
    {
        RelationKey.Find(Relation(ReplicaIdentity.Default, ("a", true), ("b", false)), Key("b")).ShouldBe([0]);
        RelationKey.Find(Relation(ReplicaIdentity.Default, ("a", true), ("b", false)), Key("new")).ShouldBe([0]);
        RelationKey.Find(Relation(ReplicaIdentity.Default, ("a", false), ("b", false)), Key("b")).ShouldBeEmpty();
        RelationKey.Find(Relation(ReplicaIdentity.Default, ("a", true), ("b", false)), null).ShouldBe([0]);
    }

    [Fact]
    public void Deferrable_key_should_count_although_it_is_no_identity() =>
        RelationKey.Find(Relation(ReplicaIdentity.Default, ("a", false), ("b", false)), new CatalogKey(["b"], Immediate: false)).ShouldBe([1]);

    [Fact]
    public void Full_and_nothing_should_take_the_key_from_the_catalog_alone()
    {
        RelationKey.Find(Relation(ReplicaIdentity.Full, ("a", true), ("b", true)), Key("b")).ShouldBe([1]);
        RelationKey.Find(Relation(ReplicaIdentity.Full, ("a", true), ("b", true)), null).ShouldBeEmpty();
        RelationKey.Find(Relation(ReplicaIdentity.Nothing, ("a", false), ("b", false)), Key("a")).ShouldBe([0]);
    }

    /// <summary>A primary key renamed while the node was away: under FULL the flags say nothing, and the catalog has another name.</summary>
    [Fact]
    public void A_column_that_was_renamed_since_should_be_found_at_its_place()
    {
        static CatalogKey Now(string key, params string[] table) => new([key], Immediate: true, [.. table.Select(name => (name, 23u))]);
        RelationKey.Find(Relation(ReplicaIdentity.Full, ("id", true), ("a", true)), Now("number", "number", "a")).ShouldBe([0]);
        RelationKey.Find(Relation(ReplicaIdentity.Full, ("a", true), ("id", true), ("b", true)), Now("number", "a", "number", "b", "added")).ShouldBe([1]);
        RelationKey.Find(Relation(ReplicaIdentity.Full, ("a", true), ("id", true), ("b", true)), Now("number", "a", "number", "c")).ShouldBeEmpty("b and id may both be it");
        RelationKey.Find(Relation(ReplicaIdentity.Full, ("id", true), ("a", true)), new CatalogKey(["number"], true, [("number", 20), ("a", 23)])).ShouldBeEmpty("another type is another column");
        RelationKey.Find(Relation(ReplicaIdentity.Full, ("a", true), ("id", true)), Now("added", "a", "id", "added")).ShouldBeEmpty("a key on a new column says nothing of the old rows");
    }

    [Fact]
    public void Index_identity_should_stand_in_for_a_missing_key()
    {
        RelationKey.Find(Relation(ReplicaIdentity.Index, ("a", false), ("b", true)), Key("a")).ShouldBe([0]);
        RelationKey.Find(Relation(ReplicaIdentity.Index, ("a", false), ("b", true)), null).ShouldBe([1]);
    }

    [Fact]
    public void Identity_should_be_every_column_under_full_and_none_under_nothing() =>
        Prop.ForAll<bool>(flag =>
        {
            var column = new DecodedColumn("a", 23, flag);
            RelationKey.InIdentity(Relation(ReplicaIdentity.Full), column).ShouldBeTrue();
            RelationKey.InIdentity(Relation(ReplicaIdentity.Nothing), column).ShouldBeFalse();
            RelationKey.InIdentity(Relation(ReplicaIdentity.Default), column).ShouldBe(flag);
            RelationKey.InIdentity(Relation(ReplicaIdentity.Index), column).ShouldBe(flag);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Key_should_never_hold_a_column_twice_or_one_that_is_not_there() =>
        Prop.ForAll<bool[], int[], int>((flags, order, kind) =>
        {
            ReplicaIdentity[] identities = [ReplicaIdentity.Default, ReplicaIdentity.Full, ReplicaIdentity.Index, ReplicaIdentity.Nothing];
            var relation = Relation(identities[Math.Abs(kind % 4)], [.. flags.Select((f, i) => ($"c{i}", f))]);
            var key = RelationKey.Find(relation, Key([.. order.Distinct().Select(i => $"c{i}")]));
            key.ShouldBeUnique();
            key.ShouldAllBe(i => i >= 0 && i < flags.Length);
        }).QuickCheckThrowOnFailure();
}

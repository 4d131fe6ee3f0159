using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Rows;
using Sync.Engine.Verification;

namespace Sync.Engine.Mapping;

/// <summary>Says which keys of a table two rows may share unseen: because their texts may be equal, or because the rows are written in any order.</summary>
static class KeyWarnings
{
    /// <summary>Sentences for the user, each about one template.</summary>
    public static IEnumerable<string> Find(TableConfig table, Relation relation, PlanParts parts)
    {
        var commands = parts.Insert.Concat(parts.Update).SelectMany(rule => rule.Commands)
            .Where(c => c.Nature is CommandNature.Write or CommandNature.AddMember or CommandNature.Accumulate).DistinctBy(c => c.Source).ToList();
        var remnants = table.Ttl is null ? [] : Remnants(relation, parts);
        return Collisions(relation, commands).Concat(Disorders(relation, parts, commands)).Concat(remnants).Distinct();
    }

    /// <summary>Hashes that inserts write with more fields than updates, which bring back a key that has expired.</summary>
    static IEnumerable<string> Remnants(Relation relation, PlanParts parts)
    {
        foreach (var update in parts.Update.SelectMany(rule => rule.Commands).Where(c => c.Name == "HSET" && c.Arguments[0].Template.DependsOnRow))
        {
            string key = update.Arguments[0].Template.Source;
            string[] again = FieldsOf(parts.Update, key);
            string[] lost = [.. FieldsOf(parts.Insert, key).Except(again)];
            if (lost.Length > 0)
                yield return $"{relation.FullName}: an update brings the hash '{key}' back after the end of its ttl without {string.Join(", ", lost)}, "
                    + "which only inserts write; let updates write the same fields, as {pairs:*} does";
        }
    }

    static string[] FieldsOf(RulePlan[] rules, string key) =>
    [
        .. rules.SelectMany(rule => rule.Commands).Where(c => c.Name == "HSET" && c.Arguments[0].Template.Source == key)
            .SelectMany(c => c.Arguments.Any(a => a.Expands)
                ? c.Arguments.Where(a => a.IsPairs).SelectMany(a => a.Listed).Select(l => WrittenPlace.NameOf(l))
                : c.Arguments.Skip(1).Where((_, i) => i % 2 == 0).Select(a => a.Template.Source)).Distinct(),
    ];

    static IEnumerable<string> Collisions(Relation relation, List<CommandPlan> commands)
    {
        foreach (var command in commands)
            foreach (var key in command.Keys)
                if (KeyShape.Of(key, relation).Doubt(relation) is { } doubt)
                {
                    string cure = command.Nature == CommandNature.Write && relation.PrimaryKey.Count > 0
                        ? $"use {{%pk%}} in place of the columns of the primary key, which escapes what it joins, or end the key with ':{{%pk%}}'"
                        : "put a text between them that their values never hold";
                    yield return $"{relation.FullName}: different rows may give '{key.Template.Source}' the same text, because {doubt}; {cure}";
                }
    }

    /// <summary>Commands whose last one wins, at a place that rows of different ordering keys share.</summary>
    static IEnumerable<string> Disorders(Relation relation, PlanParts parts, List<CommandPlan> commands)
    {
        if (parts.OrderingTemplate is not null || parts.OrderingColumns.Length == 0) yield break;
        var shared = new List<(string Place, string Key)>();
        foreach (var command in commands)
        {
            if (command.Nature != CommandNature.Write && command.Name is not ("ZADD" or "GEOADD")) continue;
            foreach (var place in PlacesOf(command))
            {
                bool isOwn = parts.OrderingColumns.All(column => place.Any(t => t.CurrentColumns.Contains(column)));
                bool says = command.Arguments.Except(place).Any(a => a.Template.DependsOnRow);
                if (!isOwn && says && !place.Any(t => t.DependsOnHistory || t.Expands))
                    shared.Add(($"{command.Name} {string.Join(' ', place.Select(t => t.Template.Source))}", string.Join(':', place.Select(t => t.Template.Source))));
            }
        }
        string identity = string.Join(", ", parts.OrderingColumns.Select(i => relation.Columns[i].Name));
        string[] keys = [.. shared.Select(s => s.Key).Distinct()];
        // Several places have no ordering key in common but that of the whole table.
        string line = keys.Length == 1 ? keys[0] : "{%schema%}.{%table%}";
        foreach (var (place, _) in shared.DistinctBy(s => s.Place))
            yield return $"{relation.FullName}: several rows may write '{place}', which does not hold the row's identity ({identity}), "
                + $"and rows keep their order only within one ordering key; add this line to the table: key: \"{line}\"";
    }

    static IEnumerable<BoundTemplate[]> PlacesOf(CommandPlan command)
    {
        if (command.Name == "MSET") return command.Keys.Select(key => new[] { key });
        BoundTemplate[] parts = command.Name is "JSON.SET" or "JSON.MERGE" ? [command.Arguments[1]] : [.. StateCommand.PartsOf(command)];
        return parts.Length == 0 ? [[command.Arguments[0]]] : parts.Select(part => new[] { command.Arguments[0], part });
    }
}

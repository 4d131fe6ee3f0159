namespace Sync.Redis.Errors;

/// <summary>
/// What this incarnation knows of Redis is void: another one took over, or Redis was restarted or emptied and may hold less than it said.
/// Nothing of what was being written was applied. Drop what is queued, read from Redis how far it is, and begin anew.
/// </summary>
/// <param name="message">One sentence that names the server and what happened.</param>
public sealed class RedisFencedException(string message) : Exception(message);

// The commands that people and programs type inline, with how many words each takes: the names and arities that COMMAND of Redis 7.0
// answers (sorted), and WAITAOF of 7.2. QUIT takes no argument here: with one it is IRC's.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace nlb::inspect {

struct RedisCommand {
  std::string_view name;    // lower case
  std::int8_t arity;        // words, the command's name among them; negative: at least so many
};

inline constexpr std::array redis_commands{
    RedisCommand{"acl", -2}, RedisCommand{"append", 3}, RedisCommand{"asking", 1}, RedisCommand{"auth", -2},
    RedisCommand{"bgrewriteaof", 1}, RedisCommand{"bgsave", -1}, RedisCommand{"bitcount", -2},
    RedisCommand{"bitfield", -2}, RedisCommand{"bitfield_ro", -2}, RedisCommand{"bitop", -4},
    RedisCommand{"bitpos", -3}, RedisCommand{"blmove", 6}, RedisCommand{"blmpop", -5}, RedisCommand{"blpop", -3},
    RedisCommand{"brpop", -3}, RedisCommand{"brpoplpush", 4}, RedisCommand{"bzmpop", -5},
    RedisCommand{"bzpopmax", -3}, RedisCommand{"bzpopmin", -3}, RedisCommand{"client", -2},
    RedisCommand{"cluster", -2}, RedisCommand{"command", -1}, RedisCommand{"config", -2}, RedisCommand{"copy", -3},
    RedisCommand{"dbsize", 1}, RedisCommand{"debug", -2}, RedisCommand{"decr", 2}, RedisCommand{"decrby", 3},
    RedisCommand{"del", -2}, RedisCommand{"discard", 1}, RedisCommand{"dump", 2}, RedisCommand{"echo", 2},
    RedisCommand{"eval", -3}, RedisCommand{"eval_ro", -3}, RedisCommand{"evalsha", -3},
    RedisCommand{"evalsha_ro", -3}, RedisCommand{"exec", 1}, RedisCommand{"exists", -2}, RedisCommand{"expire", -3},
    RedisCommand{"expireat", -3}, RedisCommand{"expiretime", 2}, RedisCommand{"failover", -1},
    RedisCommand{"fcall", -3}, RedisCommand{"fcall_ro", -3}, RedisCommand{"flushall", -1},
    RedisCommand{"flushdb", -1}, RedisCommand{"function", -2}, RedisCommand{"geoadd", -5},
    RedisCommand{"geodist", -4}, RedisCommand{"geohash", -2}, RedisCommand{"geopos", -2},
    RedisCommand{"georadius", -6}, RedisCommand{"georadius_ro", -6}, RedisCommand{"georadiusbymember", -5},
    RedisCommand{"georadiusbymember_ro", -5}, RedisCommand{"geosearch", -7}, RedisCommand{"geosearchstore", -8},
    RedisCommand{"get", 2}, RedisCommand{"getbit", 3}, RedisCommand{"getdel", 2}, RedisCommand{"getex", -2},
    RedisCommand{"getrange", 4}, RedisCommand{"getset", 3}, RedisCommand{"hdel", -3}, RedisCommand{"hello", -1},
    RedisCommand{"hexists", 3}, RedisCommand{"hget", 3}, RedisCommand{"hgetall", 2}, RedisCommand{"hincrby", 4},
    RedisCommand{"hincrbyfloat", 4}, RedisCommand{"hkeys", 2}, RedisCommand{"hlen", 2}, RedisCommand{"hmget", -3},
    RedisCommand{"hmset", -4}, RedisCommand{"hrandfield", -2}, RedisCommand{"hscan", -3}, RedisCommand{"hset", -4},
    RedisCommand{"hsetnx", 4}, RedisCommand{"hstrlen", 3}, RedisCommand{"hvals", 2}, RedisCommand{"incr", 2},
    RedisCommand{"incrby", 3}, RedisCommand{"incrbyfloat", 3}, RedisCommand{"info", -1}, RedisCommand{"keys", 2},
    RedisCommand{"lastsave", 1}, RedisCommand{"latency", -2}, RedisCommand{"lcs", -3}, RedisCommand{"lindex", 3},
    RedisCommand{"linsert", 5}, RedisCommand{"llen", 2}, RedisCommand{"lmove", 5}, RedisCommand{"lmpop", -4},
    RedisCommand{"lolwut", -1}, RedisCommand{"lpop", -2}, RedisCommand{"lpos", -3}, RedisCommand{"lpush", -3},
    RedisCommand{"lpushx", -3}, RedisCommand{"lrange", 4}, RedisCommand{"lrem", 4}, RedisCommand{"lset", 4},
    RedisCommand{"ltrim", 4}, RedisCommand{"memory", -2}, RedisCommand{"mget", -2}, RedisCommand{"migrate", -6},
    RedisCommand{"module", -2}, RedisCommand{"monitor", 1}, RedisCommand{"move", 3}, RedisCommand{"mset", -3},
    RedisCommand{"msetnx", -3}, RedisCommand{"multi", 1}, RedisCommand{"object", -2}, RedisCommand{"persist", 2},
    RedisCommand{"pexpire", -3}, RedisCommand{"pexpireat", -3}, RedisCommand{"pexpiretime", 2},
    RedisCommand{"pfadd", -2}, RedisCommand{"pfcount", -2}, RedisCommand{"pfdebug", 3}, RedisCommand{"pfmerge", -2},
    RedisCommand{"pfselftest", 1}, RedisCommand{"ping", -1}, RedisCommand{"psetex", 4},
    RedisCommand{"psubscribe", -2}, RedisCommand{"psync", -3}, RedisCommand{"pttl", 2}, RedisCommand{"publish", 3},
    RedisCommand{"pubsub", -2}, RedisCommand{"punsubscribe", -1}, RedisCommand{"quit", 1},
    RedisCommand{"randomkey", 1}, RedisCommand{"readonly", 1}, RedisCommand{"readwrite", 1},
    RedisCommand{"rename", 3}, RedisCommand{"renamenx", 3}, RedisCommand{"replconf", -1},
    RedisCommand{"replicaof", 3}, RedisCommand{"reset", 1}, RedisCommand{"restore", -4},
    RedisCommand{"restore-asking", -4}, RedisCommand{"role", 1}, RedisCommand{"rpop", -2},
    RedisCommand{"rpoplpush", 3}, RedisCommand{"rpush", -3}, RedisCommand{"rpushx", -3}, RedisCommand{"sadd", -3},
    RedisCommand{"save", 1}, RedisCommand{"scan", -2}, RedisCommand{"scard", 2}, RedisCommand{"script", -2},
    RedisCommand{"sdiff", -2}, RedisCommand{"sdiffstore", -3}, RedisCommand{"select", 2}, RedisCommand{"set", -3},
    RedisCommand{"setbit", 4}, RedisCommand{"setex", 4}, RedisCommand{"setnx", 3}, RedisCommand{"setrange", 4},
    RedisCommand{"shutdown", -1}, RedisCommand{"sinter", -2}, RedisCommand{"sintercard", -3},
    RedisCommand{"sinterstore", -3}, RedisCommand{"sismember", 3}, RedisCommand{"slaveof", 3},
    RedisCommand{"slowlog", -2}, RedisCommand{"smembers", 2}, RedisCommand{"smismember", -3},
    RedisCommand{"smove", 4}, RedisCommand{"sort", -2}, RedisCommand{"sort_ro", -2}, RedisCommand{"spop", -2},
    RedisCommand{"spublish", 3}, RedisCommand{"srandmember", -2}, RedisCommand{"srem", -3},
    RedisCommand{"sscan", -3}, RedisCommand{"ssubscribe", -2}, RedisCommand{"strlen", 2},
    RedisCommand{"subscribe", -2}, RedisCommand{"substr", 4}, RedisCommand{"sunion", -2},
    RedisCommand{"sunionstore", -3}, RedisCommand{"sunsubscribe", -1}, RedisCommand{"swapdb", 3},
    RedisCommand{"sync", 1}, RedisCommand{"time", 1}, RedisCommand{"touch", -2}, RedisCommand{"ttl", 2},
    RedisCommand{"type", 2}, RedisCommand{"unlink", -2}, RedisCommand{"unsubscribe", -1},
    RedisCommand{"unwatch", 1}, RedisCommand{"wait", 3}, RedisCommand{"waitaof", 4}, RedisCommand{"watch", -2},
    RedisCommand{"xack", -4}, RedisCommand{"xadd", -5}, RedisCommand{"xautoclaim", -6}, RedisCommand{"xclaim", -6},
    RedisCommand{"xdel", -3}, RedisCommand{"xgroup", -2}, RedisCommand{"xinfo", -2}, RedisCommand{"xlen", 2},
    RedisCommand{"xpending", -3}, RedisCommand{"xrange", -4}, RedisCommand{"xread", -4},
    RedisCommand{"xreadgroup", -7}, RedisCommand{"xrevrange", -4}, RedisCommand{"xsetid", -3},
    RedisCommand{"xtrim", -4}, RedisCommand{"zadd", -4}, RedisCommand{"zcard", 2}, RedisCommand{"zcount", 4},
    RedisCommand{"zdiff", -3}, RedisCommand{"zdiffstore", -4}, RedisCommand{"zincrby", 4},
    RedisCommand{"zinter", -3}, RedisCommand{"zintercard", -3}, RedisCommand{"zinterstore", -4},
    RedisCommand{"zlexcount", 4}, RedisCommand{"zmpop", -4}, RedisCommand{"zmscore", -3},
    RedisCommand{"zpopmax", -2}, RedisCommand{"zpopmin", -2}, RedisCommand{"zrandmember", -2},
    RedisCommand{"zrange", -4}, RedisCommand{"zrangebylex", -4}, RedisCommand{"zrangebyscore", -4},
    RedisCommand{"zrangestore", -5}, RedisCommand{"zrank", 3}, RedisCommand{"zrem", -3},
    RedisCommand{"zremrangebylex", 4}, RedisCommand{"zremrangebyrank", 4}, RedisCommand{"zremrangebyscore", 4},
    RedisCommand{"zrevrange", -4}, RedisCommand{"zrevrangebylex", -4}, RedisCommand{"zrevrangebyscore", -4},
    RedisCommand{"zrevrank", 3}, RedisCommand{"zscan", -3}, RedisCommand{"zscore", 3}, RedisCommand{"zunion", -3},
    RedisCommand{"zunionstore", -4},
};

static_assert(std::is_sorted(redis_commands.begin(), redis_commands.end(),
                             [](const RedisCommand& a, const RedisCommand& b) { return a.name < b.name; }));

}  // namespace nlb::inspect

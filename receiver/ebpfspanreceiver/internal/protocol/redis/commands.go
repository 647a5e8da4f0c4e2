package redis

import "strings"

// longestName is the length of the longest name of a command that is looked for.
const longestName = 48

// nature is what is particular about a command.
type nature uint8

const (
	_ nature = iota // an ordinary one
	// container: the first argument is a part of the command's name.
	container
	// secret: the arguments are, or may be, credentials. So are those of a container's.
	secret
	// subscribing: each argument has an answer of its own.
	subscribing
	// streaming: what follows the answer is no answer.
	streaming
	// selecting: another database is the connection's from then on.
	selecting
	// resetting: the connection is as it was at its begin.
	resetting
)

// keys says which arguments are keys, counted from 1: from first to last (counted from
// the end where negative, -1 being the last one), each step-th.
type keys struct{ first, last, step int }

func (k keys) has(i, arguments int) bool {
	last := k.last
	if last < 0 {
		last += arguments + 1
	}
	return k.first > 0 && i >= k.first && i <= last && (i-k.first)%k.step == 0
}

// command is what is known of a command.
type command struct {
	keys   keys
	nature nature
}

// commands are those of Redis 7.0, as its COMMAND tells them: the keys are where it has
// them at fixed places. What says it elsewhere (EVAL, XREAD, ZUNION, …) shows none.
var commands = tabulate(map[keys]string{
	{}: `acl asking auth bgrewriteaof bgsave blmpop bzmpop client cluster command config dbsize debug discard echo eval
		eval_ro evalsha evalsha_ro exec failover fcall fcall_ro flushall flushdb function hello info keys lastsave latency
		lmpop lolwut memory module monitor multi object pfselftest ping psubscribe psync publish pubsub punsubscribe quit
		randomkey readonly readwrite replconf replicaof reset role save scan script select shutdown sintercard slaveof
		slowlog subscribe swapdb sync time unsubscribe unwatch wait waitaof xgroup xinfo xread xreadgroup zdiff zinter
		zintercard zmpop zunion sentinel`,
	{1, -2, 1}: `blpop brpop bzpopmax bzpopmin`,
	{1, -1, 1}: `del exists mget pfcount pfmerge sdiff sdiffstore sinter sinterstore ssubscribe sunion sunionstore
		sunsubscribe touch unlink watch`,
	{1, -1, 2}: `mset msetnx`,
	{1, 1, 1}: `append bitcount bitfield bitfield_ro bitpos decr decrby dump expire expireat expiretime geoadd geodist
		geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch get getbit getdel getex
		getrange getset hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx
		hstrlen hvals incr incrby incrbyfloat lindex linsert llen lpop lpos lpush lpushx lrange lrem lset ltrim move
		persist pexpire pexpireat pexpiretime pfadd psetex pttl restore restore-asking rpop rpush rpushx sadd scard set
		setbit setex setnx setrange sismember smembers smismember sort sort_ro spop spublish srandmember srem sscan
		strlen substr ttl type xack xadd xautoclaim xclaim xdel xlen xpending xrange xrevrange xsetid xtrim zadd zcard
		zcount zdiffstore zincrby zinterstore zlexcount zmscore zpopmax zpopmin zrandmember zrange zrangebylex
		zrangebyscore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex
		zrevrangebyscore zrevrank zscan zscore zunionstore`,
	{1, 2, 1}:  `blmove brpoplpush copy geosearchstore lcs lmove rename renamenx rpoplpush smove zrangestore`,
	{2, -1, 1}: `bitop`,
	{3, 3, 1}:  `migrate`,
}, map[nature]string{
	container: `client cluster command debug function latency memory module object pubsub script slowlog xgroup xinfo`,
	// CONFIG may set requirepass, ACL makes users, MIGRATE logs in elsewhere.
	secret:      `acl auth config hello migrate sentinel`,
	subscribing: `psubscribe punsubscribe ssubscribe subscribe sunsubscribe unsubscribe`,
	streaming:   `monitor psync sync`,
	selecting:   `select`,
	resetting:   `reset`,
})

func tabulate(byKeys map[keys]string, byNature map[nature]string) map[string]command {
	table := make(map[string]command)
	for k, names := range byKeys {
		for name := range strings.FieldsSeq(strings.ToUpper(names)) {
			table[name] = command{keys: k}
		}
	}
	for n, names := range byNature {
		for name := range strings.FieldsSeq(strings.ToUpper(names)) {
			c := table[name]
			c.nature = n
			table[name] = c
		}
	}
	return table
}

// hasParts reports whether the command's first argument is a part of its name.
func (c command) hasParts(name string) bool {
	return c.nature == container || name == "CONFIG" || name == "ACL" || name == "SENTINEL"
}

// isName reports whether b may name a command, of a module perhaps.
func isName(b []byte) bool {
	for _, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return 0 < len(b) && len(b) <= longestName
}

func upper(name []byte) string { return strings.ToUpper(string(name)) }

-- A worker reports. KEYS: workers, its report. ARGV: its id, the report, TTL in ms.
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] - 60)
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])

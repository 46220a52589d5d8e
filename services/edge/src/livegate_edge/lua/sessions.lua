-- A user's sessions. KEYS[1] the sorted set. ARGV: how many at once (0: these are renewed), a lease
-- in s, then the sessions. 1: there is no room.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local most, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for i = 3, #ARGV do
  local known = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if most > 0 and not known and redis.call('ZCARD', KEYS[1]) >= most then return 1 end
  redis.call('ZADD', KEYS[1], now + lease, ARGV[i])
end
redis.call('EXPIRE', KEYS[1], lease)
return 0

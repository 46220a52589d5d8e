-- Queue a session for an owner. KEYS[1] the sorted set, ARGV[1] the member.
-- NX keeps the time of the first offer: depth and age are what autoscaling looks at.
local now = redis.call('TIME')
return redis.call('ZADD', KEYS[1], 'NX', now[1] + now[2] / 1000000, ARGV[1])

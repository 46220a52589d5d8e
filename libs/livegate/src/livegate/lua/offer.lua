-- Queue a session for an owner. KEYS[1] the sorted set, KEYS[2] who owns the session.
-- ARGV: the member, the epoch that it presents. -1: another edge has claimed the session since.
-- NX keeps the time of the first offer: depth and age are what autoscaling looks at.
if tonumber(redis.call('HGET', KEYS[2], 'epoch') or 0) > tonumber(ARGV[2]) then return -1 end
local now = redis.call('TIME')
return redis.call('ZADD', KEYS[1], 'NX', now[1] + now[2] / 1000000, ARGV[1])

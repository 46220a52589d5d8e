-- How long the dispatch queues are and the age in ms of their oldest member. KEYS: the sorted sets.
local now = redis.call('TIME')
local depth, age = 0, 0
for _, key in ipairs(KEYS) do
  depth = depth + redis.call('ZCARD', key)
  local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  if oldest then age = math.max(age, now[1] + now[2] / 1000000 - oldest) end
end
return {depth, math.floor(age * 1000)}

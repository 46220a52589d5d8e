-- A user opens a connection. KEYS[1] when all that were opened are paid for, each costing its part of
-- a minute; a minute's worth may come at once (GCRA). ARGV: how many a minute.
-- 0, or the ms until the next may be opened.
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local each = 60000 / ARGV[1]
local paid = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) + each
if paid - now > 60000 then return math.ceil(paid - now - 60000) end
redis.call('SET', KEYS[1], string.format('%.3f', paid), 'PX', math.ceil(paid - now))
return 0

-- Who has a place at the Live API. KEYS: those who wait, then for each place its sessions and its
-- working cap. ARGV: what to do, the configured cap, a lease in s, then what that takes.
-- A refusal lowers the working cap to nine tenths of what was there, at most once a second; it
-- grows again by one a second.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local todo, most, lease, member = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local function cap(key)
  local known = redis.call('HMGET', key, 'cap', 'at')
  if not known[1] then return most, 0 end
  return math.min(most, math.floor(known[1] + now - known[2])), tonumber(known[2])
end

local function count(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  return redis.call('ZCARD', key)
end

local function give(key, session)
  redis.call('ZADD', key, now + lease, session)
  redis.call('EXPIRE', key, lease)
end

if todo == 'admit' then -- member, patience in s, '1' if it has to be let in; 0: it has to wait
  local patience, forced = tonumber(ARGV[5]), ARGV[6] == '1'
  for i = 2, #KEYS, 2 do
    if redis.call('ZSCORE', KEYS[i], member) then
      give(KEYS[i], member)
      redis.call('ZREM', KEYS[1], member)
      return i / 2
    end
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - patience)
  redis.call('ZADD', KEYS[1], 'NX', now, member)
  redis.call('EXPIRE', KEYS[1], math.ceil(patience))
  local before = redis.call('ZRANK', KEYS[1], member)
  for i = 2, #KEYS, 2 do
    local free = cap(KEYS[i + 1]) - count(KEYS[i])
    if before < free or (forced and free > 0) then
      redis.call('ZREM', KEYS[1], member)
      give(KEYS[i], member)
      return i / 2
    end
    before = before - math.max(0, free)
  end
  if not forced then return 0 end
  redis.call('ZREM', KEYS[1], member)
  give(KEYS[2], member)
  return 1
elseif todo == 'renew' then -- for each place how many sessions, and these
  local at = 4
  for i = 2, #KEYS, 2 do
    for _ = 1, ARGV[at] do
      at = at + 1
      give(KEYS[i], ARGV[at])
    end
    at = at + 1
  end
elseif todo == 'refuse' then -- member, '1' if it gives its place up
  local there = math.max(0, count(KEYS[2]) - 1)
  local before, at = cap(KEYS[3])
  local lowered = math.min(before, there)
  if now - at >= 1 then lowered = math.floor(lowered * 0.9) end
  redis.call('HSET', KEYS[3], 'cap', lowered, 'at', now)
  redis.call('EXPIRE', KEYS[3], most - lowered + 1)
  if ARGV[5] == '1' then redis.call('ZREM', KEYS[2], member) end
elseif todo == 'leave' then -- member
  redis.call('ZREM', KEYS[1], member)
  for i = 2, #KEYS, 2 do redis.call('ZREM', KEYS[i], member) end
end
local look = {}
for i = 2, #KEYS, 2 do
  look[#look + 1] = count(KEYS[i])
  look[#look + 1] = (cap(KEYS[i + 1]))
end
return look

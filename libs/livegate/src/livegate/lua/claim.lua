-- An edge has the client of a session that it doesn't hold. KEYS[1] the session.
-- ARGV: the epoch that it presents, its mailbox, TTL in ms. Nil: nobody owns the session, or only a
-- former owner says so.
local known = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'edge')
if not known[2] or tonumber(known[1]) < tonumber(ARGV[1]) then return false end
local epoch = known[1] + 1
redis.call('HSET', KEYS[1], 'epoch', epoch, 'edge', ARGV[2], 'away', '')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {epoch, known[2], known[3]}

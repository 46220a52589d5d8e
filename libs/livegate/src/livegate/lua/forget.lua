-- Sessions of a worker's that have ended. KEYS: the sessions. ARGV: its mailbox, then each one's
-- epoch. What an edge has claimed since, or another worker owns, stands.
for i, key in ipairs(KEYS) do
  local known = redis.call('HMGET', key, 'owner', 'epoch')
  if known[1] == ARGV[1] and known[2] == ARGV[i + 1] then redis.call('DEL', key) end
end

-- A worker owns these sessions. KEYS: the sessions. ARGV: its mailbox, TTL in ms, then for each
-- session the epoch, its edge's mailbox and '1' if its client is away. What was claimed at a higher
-- epoch stands.
for i, key in ipairs(KEYS) do
  local epoch, edge, away = ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
  if tonumber(redis.call('HGET', key, 'epoch') or 0) <= tonumber(epoch) then
    redis.call('HSET', key, 'epoch', epoch, 'owner', ARGV[1], 'edge', edge, 'away', away)
  end
  redis.call('PEXPIRE', key, ARGV[2])
end

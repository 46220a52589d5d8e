-- A worker owns these sessions. KEYS: the sessions. ARGV: its mailbox, TTL in ms, then for each
-- session the epoch and its edge's mailbox. What was claimed at a higher epoch stands.
for i, key in ipairs(KEYS) do
  local epoch, edge = ARGV[2 * i + 1], ARGV[2 * i + 2]
  if tonumber(redis.call('HGET', key, 'epoch') or 0) <= tonumber(epoch) then
    redis.call('HSET', key, 'epoch', epoch, 'owner', ARGV[1], 'edge', edge)
  end
  redis.call('PEXPIRE', key, ARGV[2])
end

-- Add a writer's batch to the ledger, once. KEYS[1] the number of its last batch, KEYS[2..] one hash
-- a user and day. ARGV: the batch's number, TTLs in s of the number and of the hashes, then for each
-- hash how many fields, and each field and its tokens. 0: this batch was counted before.
if tonumber(redis.call('GET', KEYS[1]) or 0) >= tonumber(ARGV[1]) then return 0 end
local at = 4
for i = 2, #KEYS do
  for _ = 1, ARGV[at] do
    redis.call('HINCRBY', KEYS[i], ARGV[at + 1], ARGV[at + 2])
    at = at + 2
  end
  at = at + 1
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1

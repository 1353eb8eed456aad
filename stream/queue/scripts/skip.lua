-- Give an item back. ARGV: who, id, now, seconds to leave it out for this person (0: not at all).
local seconds = tonumber(ARGV[4])
if redis.call('HGET', P .. 'lease', ARGV[2]) == ARGV[1] then give_back(ARGV[2]) end
if seconds > 0 then
  redis.call('ZADD', P .. 'skipped:' .. ARGV[1], ARGV[3], ARGV[2])
  redis.call('EXPIRE', P .. 'skipped:' .. ARGV[1], seconds)
end
return 'ok'

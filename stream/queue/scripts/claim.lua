-- Let one request alone decide some reviews, of all servers. ARGV: token, milliseconds, ids...
-- A claim ends by itself: what has no end is none of ours. Asked again after a lost reply, it holds.
local function key(i) return P .. 'deciding:' .. ARGV[i] end

for i = 3, #ARGV do
  local held = redis.call('PTTL', key(i)) > 0
  if held and redis.pcall('GET', key(i)) ~= ARGV[1] then return 'held' end
end
for i = 3, #ARGV do redis.call('SET', key(i), ARGV[1], 'PX', ARGV[2]) end
return 'ok'

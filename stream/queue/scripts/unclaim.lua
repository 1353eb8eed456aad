-- Give up what claim.lua gave. ARGV: token, ids...
for i = 2, #ARGV do
  local key = P .. 'deciding:' .. ARGV[i]
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
return 'ok'

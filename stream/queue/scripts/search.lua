-- One step of a walk over what waits; the caller goes on until the cursor is 0 again.
-- ARGV: cursor, items a step, slug or '', least confidence, most confidence, reason or '', words...
-- A step is kept small: while it runs, nobody else is served.
local BEST, REASON = 6, 7
local slug, reason = ARGV[3], ARGV[6]
local least, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local step = redis.call('HSCAN', P .. 'norm', ARGV[1], 'COUNT', ARGV[2])
local found = {}

local function has_all_words(text)
  for i = 7, #ARGV do
    if not string.find(text, ARGV[i], 1, true) then return false end
  end
  return true
end

for i = 1, #step[2], 2 do
  local id = step[2][i]
  if has_all_words(step[2][i + 1]) then
    local meta = meta_of(id)
    if meta and (slug == '' or meta[SLUG] == slug) and (reason == '' or meta[REASON] == reason)
      and meta[BEST] >= least and meta[BEST] <= most then
      found[#found + 1] = {id, redis.call('HGET', P .. 'data', id), tostring(meta[SCORE]),
                           redis.call('HEXISTS', P .. 'lease', id)}
    end
  end
end
return {step[1], found}

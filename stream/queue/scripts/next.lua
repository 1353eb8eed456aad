-- The next item for a person, leased to them.
-- ARGV: who, now, expires, order, slug or '', roll for a random item, roll for a second opinion,
--       share of random items, share of second opinions, slugs as JSON, ids on the screen as JSON.
if not is_ready() then return {'rebuilding'} end
local who, now, expires = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local order, wanted = ARGV[4], ARGV[5]
local slugs = wanted ~= '' and {wanted} or cjson.decode(ARGV[10])
local on_screen = {}
for _, id in ipairs(cjson.decode(ARGV[11])) do on_screen[id] = true end
reclaim(now)

local function give(id)
  if wanted ~= '' and kind_of(id) == 'first' then tell(who, id, now) end
  return take(id, who, now, expires)
end

-- What this person holds already, after a reload for example.
local held = P .. 'held:' .. who
for _, id in ipairs(redis.call('ZRANGE', held, 0, -1)) do
  local kind = kind_of(id)
  if not kind then
    release(id)
  elseif not on_screen[id] and kind ~= 'adjudication' then
    local meta = kind == 'first' and meta_of(id)
    if not meta or wanted == '' or meta[SLUG] == wanted then return give(id) end
  end
end

local function skipped(id) return redis.call('ZSCORE', P .. 'skipped:' .. who, id) end

local function first_free(key, reverse)
  for from = 0, 900, 100 do
    local ids = redis.call(reverse and 'ZREVRANGE' or 'ZRANGE', key, from, from + 99)
    for _, id in ipairs(ids) do
      if not skipped(id) then return id end
    end
    if #ids < 100 then return nil end
  end
end

local function second_opinion()
  for _, id in ipairs(redis.call('ZRANGE', P .. 'second:at', 0, 499)) do
    local free = kind_of(id) == 'second' and redis.call('HEXISTS', P .. 'lease', id) == 0
    if free and not is_first_by(who, id) and not skipped(id) then return id end
  end
end

local function oldest()
  local best, best_at
  for _, slug in ipairs(slugs) do
    local id = first_free(P .. 'age:' .. slug, false)
    local at = id and tonumber(redis.call('ZSCORE', P .. 'age:' .. slug, id))
    if at and (not best_at or at < best_at) then best, best_at = id, at end
  end
  return best
end

local function at_random()
  local total, sizes = 0, {}
  for i, slug in ipairs(slugs) do
    sizes[i] = redis.call('ZCARD', P .. 'info:' .. slug)
    total = total + sizes[i]
  end
  if total == 0 then return nil end
  -- The roll chose this branch; what is left of it, stretched to 0..1, chooses the category.
  local mark = tonumber(ARGV[6]) / tonumber(ARGV[8]) * total
  for i, slug in ipairs(slugs) do
    mark = mark - sizes[i]
    if mark < 0 then
      local id = redis.call('ZRANDMEMBER', P .. 'info:' .. slug)
      if id and not skipped(id) then return id end
    end
  end
end

-- Most informative first, categories in turn: each by the square root of its backlog, so that a
-- rare one is seen more often than it comes, and a large one still most often.
local function informative()
  local turns = {}
  for _, slug in ipairs(slugs) do
    local size = redis.call('ZCARD', P .. 'info:' .. slug)
    if size > 0 then
      local served = tonumber(redis.call('HGET', P .. 'served', slug) or 0)
      turns[#turns + 1] = {(served + 1) / math.sqrt(size), slug}
    end
  end
  table.sort(turns, function(a, b) return a[1] < b[1] end)
  for _, turn in ipairs(turns) do
    local id = first_free(P .. 'info:' .. turn[2], true)
    if id then
      redis.call('HINCRBYFLOAT', P .. 'served', turn[2], 1)
      -- Fades, so that a change of the stream shows within some hundreds of decisions.
      if redis.call('HINCRBYFLOAT', P .. 'served', '', 1) + 0 > 500 then
        for _, slug in ipairs(redis.call('HKEYS', P .. 'served')) do
          local half = redis.call('HGET', P .. 'served', slug) / 2
          redis.call('HSET', P .. 'served', slug, tostring(half))
        end
      end
      return id
    end
  end
end

local id
local share = tonumber(ARGV[9])
if wanted == '' and tonumber(ARGV[7]) < share / (1 + share) then id = second_opinion() end
if not id then
  if order == 'oldest' then
    id = oldest()
  elseif tonumber(ARGV[6]) < tonumber(ARGV[8]) then
    id = at_random() or informative()
  else
    id = informative()
  end
end
if not id and wanted == '' then id = second_opinion() end
if not id then return {'empty', redis.call('ZCARD', P .. 'skipped:' .. who)} end
return give(id)

-- The working set and its moves. Prepended to every script, so that each runs as one atom.
-- KEYS[1] is the prefix of all keys. It holds a {hash tag}: in a cluster all of them share a slot.

local P = KEYS[1]

-- Redis may throw keys away: it is full and evicts, or a person deletes some. A list of reviews that is
-- gone looks like one that is empty. So the names of the keys that there must be are kept in one of them.
local server, changed = redis, {}
local WRITES = {
  HSET = true, HSETNX = true, HDEL = true, HINCRBY = true, HINCRBYFLOAT = true, ZADD = true, ZREM = true,
  ZPOPMIN = true, ZREMRANGEBYSCORE = true, LPUSH = true, LTRIM = true, SADD = true, SREM = true,
}
-- What is one person's alone, or only the last acts: it ends by itself, or can be done without.
local UNNOTED = {
  held = true, skipped = true, told = true, pace = true, deciding = true, undo = true, recent = true,
}
local redis = {
  pcall = server.pcall,
  call = function(command, key, ...)
    if WRITES[command] then changed[key] = true end
    return server.call(command, key, ...)
  end,
}

-- There is one for each group of near-identical reviews, tens of thousands: each call looks at some of them.
local SOME = 100
-- Lua's stack bounds how many arguments a call may have.
local AT_ONCE = 1000

local function find_gone(names, found)
  for from = 1, #names, AT_ONCE do
    local keys = {}
    for i = from, math.min(from + AT_ONCE - 1, #names) do keys[#keys + 1] = P .. names[i] end
    if server.call('EXISTS', unpack(keys)) < #keys then
      for _, key in ipairs(keys) do
        if server.call('EXISTS', key) == 0 then found[#found + 1] = string.sub(key, #P + 1) end
      end
    end
  end
end

local function gone()
  local names, found = server.call('SMEMBERS', P .. 'present'), {}
  if #names == 0 and server.call('EXISTS', P .. 'offset') == 1 then return {'present'} end
  find_gone(names, found)
  find_gone(server.call('SRANDMEMBER', P .. 'present:groups', SOME), found)
  return found
end

local function note(list, name)
  local there = server.call('EXISTS', P .. name) == 1
  server.call(there and 'SADD' or 'SREM', P .. list, name)
end

local function note_present()
  local any_group = false
  for key in pairs(changed) do
    local name = string.sub(key, #P + 1)
    local kind = string.match(name, '^[^:]*')
    if kind == 'cluster' then
      note('present:groups', name)
      any_group = true
    elseif not UNNOTED[kind] then
      note('present', name)
    end
  end
  if any_group then note('present', 'present:groups') end
end

-- Run a script's body, unless something is gone; note what there must be from now on.
local function whole(body)
  local lost = gone()
  if #lost > 0 then return {'incomplete', unpack(lost, 1, 100)} end
  local answer = body()
  note_present()
  return answer
end

local function regardless(body)
  local answer = body()
  note_present()
  return answer
end
local SLUG, SCORE, AT, CLUSTER, PRINT = 1, 2, 3, 4, 5
-- Decided items whose data is kept for undo, second opinions and corrections: about 5 MB.
local KEEP = 5000
-- Items that one person may hold at a time: the one on the screen, the next one, a few more tabs.
local MOST_HELD = 10
-- A near-identical text tells the model half as much as the one before it.
local DISCOUNT = 0.5

-- Letters of a record's seal. Whoever has the key checks it before anything is shown or published;
-- these scripts carry sealed records from place to place as they are, and look into them.
local SEAL = 32

local function record_in(sealed) return cjson.decode(string.sub(sealed, SEAL + 1)) end

-- Whether a person said what a second opinion is to be compared with: the first word, a correction of
-- it, or what holds again since a second opinion or a correction was taken back.
local function is_first_by(who, id)
  local j = record_in(redis.call('HGET', P .. 'second:by', id))
  if j.corrects then return j.who == who or j.other_who == who end
  return (j.role == 'first' and j.who or j.other_who) == who
end

local function is_ready() return redis.call('EXISTS', P .. 'ready') == 1 end

local function meta_of(id)
  local found = redis.call('HGET', P .. 'meta', id)
  return found and cjson.decode(found)
end

local function put_meta(id, meta) redis.call('HSET', P .. 'meta', id, cjson.encode(meta)) end

local function enlist(id, meta)
  redis.call('ZADD', P .. 'info:' .. meta[SLUG], meta[SCORE], id)
  redis.call('ZADD', P .. 'age:' .. meta[SLUG], meta[AT], id)
end

local function delist(id, meta)
  redis.call('ZREM', P .. 'info:' .. meta[SLUG], id)
  redis.call('ZREM', P .. 'age:' .. meta[SLUG], id)
end

local function release(id)
  local who = redis.call('HGET', P .. 'lease', id)
  if who then
    redis.call('HDEL', P .. 'lease', id)
    redis.call('ZREM', P .. 'lease:at', id)
    redis.call('ZREM', P .. 'held:' .. who, id)
  end
end

local function give_back(id)
  release(id)
  local meta = meta_of(id)
  if meta and redis.call('HGET', P .. 'front', meta[CLUSTER]) == id then enlist(id, meta) end
end

local function reclaim(now)
  local expired = redis.call('ZRANGEBYSCORE', P .. 'lease:at', '-inf', now, 'LIMIT', 0, 50)
  for _, id in ipairs(expired) do give_back(id) end
end

local function lease(id, who, now, expires)
  local held = P .. 'held:' .. who
  redis.call('HSET', P .. 'lease', id, who)
  redis.call('ZADD', P .. 'lease:at', expires, id)
  redis.call('ZADD', held, 'NX', now, id)
  while redis.call('ZCARD', held) > MOST_HELD do give_back(redis.call('ZRANGE', held, 0, 0)[1]) end
end

-- Clusters: near-identical texts. One of them, the front, waits in the lists; the others stand
-- folded behind it.

local function join_cluster(id, meta)
  local cluster = meta[CLUSTER]
  if redis.call('HSETNX', P .. 'front', cluster, id) == 1 then
    enlist(id, meta)
  else
    redis.call('ZADD', P .. 'cluster:' .. cluster, meta[AT], id)
  end
end

local function dissolve(cluster)
  local bands = redis.call('HGET', P .. 'bands', cluster)
  for _, band in ipairs(bands and cjson.decode(bands) or {}) do
    if redis.call('HGET', P .. 'band', band) == cluster then redis.call('HDEL', P .. 'band', band) end
  end
  redis.call('HDEL', P .. 'bands', cluster)
  redis.call('HDEL', P .. 'exemplar', cluster)
  redis.call('HDEL', P .. 'front', cluster)
end

local function leave_cluster(id, meta)
  local cluster = meta[CLUSTER]
  if redis.call('HGET', P .. 'front', cluster) ~= id then
    redis.call('ZREM', P .. 'cluster:' .. cluster, id)
    return
  end
  local following = redis.call('ZPOPMIN', P .. 'cluster:' .. cluster)[1]
  if not following then return dissolve(cluster) end
  local its_meta = meta_of(following)
  its_meta[SCORE] = meta[SCORE] * DISCOUNT
  put_meta(following, its_meta)
  redis.call('HSET', P .. 'front', cluster, following)
  -- Leased by way of a search: it comes back to the lists when its lease ends.
  if redis.call('HEXISTS', P .. 'lease', following) == 0 then enlist(following, its_meta) end
end

-- Leaving and entering the set of what waits.

-- The moment is the decision's own: a rebuild keeps the same ones.
local function keep(id, at)
  redis.call('ZADD', P .. 'kept:at', at, id)
  local over = redis.call('ZCARD', P .. 'kept:at') - KEEP
  if over > 0 then
    local gone = redis.call('ZPOPMIN', P .. 'kept:at', over)
    for i = 1, #gone, 2 do
      for _, name in ipairs({'kept', 'data', 'norm'}) do redis.call('HDEL', P .. name, gone[i]) end
    end
  end
end

local function forget(id)
  local meta = meta_of(id)
  release(id)
  delist(id, meta)
  leave_cluster(id, meta)
  redis.call('HSET', P .. 'kept', id, redis.call('HGET', P .. 'meta', id))
  redis.call('HDEL', P .. 'meta', id)
end

local function restore(id)
  redis.call('ZREM', P .. 'kept:at', id)
  local kept = redis.call('HGET', P .. 'kept', id)
  if not kept then return end
  redis.call('HSET', P .. 'meta', id, kept)
  redis.call('HDEL', P .. 'kept', id)
  join_cluster(id, cjson.decode(kept))
end

local function close_second(id)
  redis.call('HDEL', P .. 'second', id)
  redis.call('HDEL', P .. 'second:by', id)
  redis.call('ZREM', P .. 'second:at', id)
end

-- How many reviews a decision holds on, by who decided and what: {person|kids: 12}.
local function count_held(label, sign)
  if not label.withdrawn then
    redis.call('HINCRBY', P .. 'standing', label.by .. '|' .. label.category, sign)
  end
end

-- An adjudication may be undone: what it settled is kept as long as the data of what was decided.
local function settle_dispute(id, now)
  local opinions = redis.call('HGET', P .. 'dispute', id)
  if not opinions then return end
  redis.call('HSET', P .. 'settled', id, opinions)
  local data = redis.call('HGET', P .. 'dispute:data', id)
  if data then redis.call('HSET', P .. 'settled:data', id, data) end
  redis.call('ZADD', P .. 'settled:at', now, id)
  local over = redis.call('ZCARD', P .. 'settled:at') - KEEP
  if over <= 0 then return end
  local gone = redis.call('ZPOPMIN', P .. 'settled:at', over)
  for i = 1, #gone, 2 do
    redis.call('HDEL', P .. 'settled', gone[i])
    redis.call('HDEL', P .. 'settled:data', gone[i])
  end
end

local function reopen_dispute(id, now)
  local opinions = redis.call('HGET', P .. 'settled', id)
  if not opinions then return end
  redis.call('HSET', P .. 'dispute', id, opinions)
  local data = redis.call('HGET', P .. 'settled:data', id)
  if data then redis.call('HSET', P .. 'dispute:data', id, data) end
  redis.call('ZADD', P .. 'dispute:at', now, id)
  redis.call('HDEL', P .. 'settled', id)
  redis.call('HDEL', P .. 'settled:data', id)
  redis.call('ZREM', P .. 'settled:at', id)
end

local function close_dispute(id)
  redis.call('HDEL', P .. 'dispute', id)
  redis.call('HDEL', P .. 'dispute:data', id)
  redis.call('ZREM', P .. 'dispute:at', id)
end

-- Who asks for a category learns by that what the model takes a review for: it is not blind for them.
local TOLD_MS = 24 * 3600 * 1000

local function tell(who, id, now)
  local told = P .. 'told:' .. who
  redis.call('ZREMRANGEBYSCORE', told, '-inf', now - TOLD_MS)
  redis.call('ZADD', told, now, id)
  server.call('PEXPIRE', told, TOLD_MS)
end

-- What a person gets to see: {status, id, data, detail, expires, folded, whether they know the guess}.

local function shown(kind, id, who, expires)
  if kind == 'first' then
    local meta = redis.call('HGET', P .. 'meta', id)
    local folded = 0
    local cluster = cjson.decode(meta)[CLUSTER]
    if redis.call('HGET', P .. 'front', cluster) then
      folded = redis.call('ZCARD', P .. 'cluster:' .. cluster)
    end
    local told = redis.call('ZSCORE', P .. 'told:' .. who, id) and 1 or 0
    return {kind, id, redis.call('HGET', P .. 'data', id), meta, expires, folded, told}
  end
  if kind == 'second' then
    local data = redis.call('HGET', P .. 'second', id)
    return {kind, id, data, redis.call('HGET', P .. 'second:by', id), expires, 0, 0}
  end
  local data = redis.call('HGET', P .. 'dispute:data', id)
  return {kind, id, data, redis.call('HGET', P .. 'dispute', id), expires, 0, 0}
end

local function kind_of(id)
  if redis.call('HEXISTS', P .. 'meta', id) == 1 then return 'first' end
  if redis.call('HEXISTS', P .. 'second', id) == 1 then return 'second' end
  if redis.call('HEXISTS', P .. 'dispute:data', id) == 1 then return 'adjudication' end
end

local function take(id, who, now, expires)
  local kind = kind_of(id)
  if not kind then return {'gone', redis.call('HGET', P .. 'decided', id) or ''} end
  local holder = redis.call('HGET', P .. 'lease', id)
  if holder and holder ~= who and tonumber(redis.call('ZSCORE', P .. 'lease:at', id)) > now then
    return {'taken'}
  end
  if kind == 'second' and is_first_by(who, id) then return {'own'} end
  if holder and holder ~= who then release(id) end
  local meta = kind == 'first' and meta_of(id)
  if meta then delist(id, meta) end
  lease(id, who, now, expires)
  return shown(kind, id, who, expires)
end
